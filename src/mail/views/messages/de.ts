import type { MailMessages } from "./en.ts";

export const de: MailMessages = {
  greeting: "Guten Tag,",
  linkToo: "Falls die Schaltfläche nicht funktioniert, öffnen Sie diese Adresse:",
  why: "{brand} unter {host} hat das geschickt, weil dort jemand Ihre Adresse angegeben hat. Antworten darauf liest niemand.",
  questions: "Fragen? Wenden Sie sich an {contact}.",

  recoverySubject: "Ein neues Passwort für {brand}",
  recoveryAbout:
    "Für Ihr Konto bei {brand} wurde ein neues Passwort verlangt. Wenn Sie das waren, wählen Sie es hier:",
  recoveryAction: "Neues Passwort wählen",
  recoveryLifetime:
    "Der Link gilt einmal und 30 Minuten lang. Ein neues Passwort meldet Sie auf allen Geräten ab.",
  recoveryIgnore: "Wenn Sie es nicht waren, ist nichts zu tun: Ihr Passwort bleibt, wie es ist.",

  takenSubject: "Sie haben schon ein Konto bei {brand}",
  takenAbout:
    "Jemand hat sich bei {brand} mit dieser Adresse registriert, zu der es schon ein Konto gibt. Wenn Sie das waren, melden Sie sich wie bisher an, oder wählen Sie ein neues Passwort:",
  takenIgnore: "Wenn Sie es nicht waren, ist nichts zu tun: Es wurde nichts geändert.",
  verificationSubject: "Bestätigen Sie Ihre Adresse für {brand}",
  verificationAbout:
    "Jemand hat diese Adresse für ein Konto bei {brand} angegeben. Wenn Sie das waren, bestätigen Sie sie:",
  verificationAction: "Adresse bestätigen",
  verificationCode: "Oder geben Sie diesen Code auf der Seite ein, die danach fragt:",
  dayLifetime: "Das gilt einmal und 24 Stunden lang.",
  verificationIgnore: "Wenn Sie es nicht waren, ist nichts zu tun: Die Adresse bleibt unbestätigt.",
  changeSubject: "Bestätigen Sie Ihre neue Adresse für {brand}",
  changeAbout:
    "Jemand möchte diese Adresse ab jetzt für ein Konto bei {brand} verwenden. Wenn Sie das waren, bestätigen Sie es:",
  changeAction: "Diese Adresse verwenden",
  changeIgnore: "Wenn Sie es nicht waren, ist nichts zu tun: Das Konto behält seine Adresse.",
  changedSubject: "Ihre Adresse bei {brand} wurde geändert",
  changedAbout: "Ihr Konto bei {brand} hat ab jetzt die Adresse {address}. Hierher kommt keine E-Mail mehr.",
  undoAction: "Änderung rückgängig machen",
  undoAbout:
    "Wenn Sie es nicht waren, machen Sie es innerhalb von 72 Stunden rückgängig: Das Konto bekommt diese Adresse zurück, und alle werden abgemeldet. Wählen Sie danach ein neues Passwort. Wenn Sie es waren, ist nichts zu tun.",
  when: "Wann",
  device: "Gerät",
  address: "IP-Adresse",
  wasYou: "Wenn Sie es waren, ist nichts zu tun.",
  passwordSubject: "Ihr Passwort für {brand} wurde geändert",
  passwordAbout: "Das Passwort Ihres Kontos bei {brand} wurde ersetzt.",
  passwordAlarm: "Wenn Sie es nicht waren, wählen Sie sofort ein neues: Das meldet alle von Ihrem Konto ab.",
  deviceSubject: "Eine neue Anmeldung bei {brand}",
  deviceAbout:
    "Jemand hat sich bei Ihrem Konto bei {brand} angemeldet, in einem Browser, der dafür bisher nicht verwendet wurde.",
  deviceAlarm:
    "Wenn Sie es nicht waren, kennt jemand Ihr Passwort: Wählen Sie sofort ein neues. Das meldet alle von Ihrem Konto ab.",
  deletedSubject: "Ihr Konto bei {brand} wurde gelöscht",
  deletedAbout: "Ihr Konto bei {brand} und alle seine Sitzungen gibt es nicht mehr.",
  deletedAlarm: "Wenn Sie es nicht waren, sagen Sie es den Betreibern von {brand}.",
};
