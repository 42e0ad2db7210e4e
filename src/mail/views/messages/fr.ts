import type { MailMessages } from "./en.ts";

export const fr: MailMessages = {
  greeting: "Bonjour,",
  linkToo: "Si le bouton ne fonctionne pas, ouvrez cette adresse :",
  why: "{brand}, sur {host}, a envoyé ce message parce que quelqu’un y a indiqué votre adresse. Personne ne lit les réponses.",
  questions: "Des questions ? Adressez-vous à {contact}.",

  recoverySubject: "Un nouveau mot de passe pour {brand}",
  recoveryAbout:
    "Un nouveau mot de passe a été demandé pour votre compte sur {brand}. Si c’est vous, choisissez-le ici :",
  recoveryAction: "Choisir un nouveau mot de passe",
  recoveryLifetime:
    "Le lien ne sert qu’une fois, pendant 30 minutes. Un nouveau mot de passe vous déconnecte de tous vos appareils.",
  recoveryIgnore: "Si ce n’est pas vous, il n’y a rien à faire : votre mot de passe ne change pas.",

  takenSubject: "Vous avez déjà un compte sur {brand}",
  takenAbout:
    "Quelqu’un s’est inscrit sur {brand} avec cette adresse, qui a déjà un compte. Si c’est vous, connectez-vous comme d’habitude ou choisissez un nouveau mot de passe :",
  takenIgnore: "Si ce n’est pas vous, il n’y a rien à faire : rien n’a changé.",
  verificationSubject: "Confirmez votre adresse pour {brand}",
  verificationAbout:
    "Quelqu’un a indiqué cette adresse pour un compte sur {brand}. Si c’est vous, confirmez-la :",
  verificationAction: "Confirmer l’adresse",
  verificationCode: "Ou saisissez ce code sur la page qui le demande :",
  dayLifetime: "Cela ne sert qu’une fois, pendant 24 heures.",
  verificationIgnore: "Si ce n’est pas vous, il n’y a rien à faire : l’adresse reste à confirmer.",
  changeSubject: "Confirmez votre nouvelle adresse pour {brand}",
  changeAbout:
    "Quelqu’un veut désormais utiliser cette adresse pour un compte sur {brand}. Si c’est vous, confirmez-le :",
  changeAction: "Utiliser cette adresse",
  changeIgnore: "Si ce n’est pas vous, il n’y a rien à faire : le compte garde son adresse.",
  changedSubject: "Votre adresse sur {brand} a changé",
  changedAbout: "Votre compte sur {brand} a désormais l’adresse {address}. Plus aucun message n’arrive ici.",
  undoAction: "Annuler le changement",
  undoAbout:
    "Si ce n’est pas vous, annulez-le dans les 72 heures : le compte retrouve cette adresse et toutes ses sessions se terminent. Choisissez ensuite un nouveau mot de passe. Si c’est vous, il n’y a rien à faire.",
  when: "Quand",
  device: "Appareil",
  address: "Adresse IP",
  wasYou: "Si c’est vous, il n’y a rien à faire.",
  passwordSubject: "Votre mot de passe pour {brand} a changé",
  passwordAbout: "Le mot de passe de votre compte sur {brand} a été remplacé.",
  passwordAlarm:
    "Si ce n’est pas vous, choisissez-en un autre tout de suite : toutes les sessions du compte se terminent alors.",
  deviceSubject: "Une nouvelle connexion à {brand}",
  deviceAbout:
    "Quelqu’un s’est connecté à votre compte sur {brand}, dans un navigateur qui n’avait pas encore servi pour lui.",
  deviceAlarm:
    "Si ce n’est pas vous, quelqu’un connaît votre mot de passe : choisissez-en un autre tout de suite. Toutes les sessions du compte se terminent alors.",
  deletedSubject: "Votre compte sur {brand} a été supprimé",
  deletedAbout: "Votre compte sur {brand} et toutes ses sessions n’existent plus.",
  deletedAlarm: "Si ce n’est pas vous, prévenez les responsables de {brand}.",
};
