import type { MailMessages } from "./en.ts";

export const es: MailMessages = {
  greeting: "Hola:",
  linkToo: "Si el botón no funciona, abre esta dirección:",
  why: "{brand}, en {host}, ha enviado este mensaje porque alguien ha indicado allí tu dirección. Nadie lee las respuestas.",
  questions: "¿Tienes preguntas? Dirígete a {contact}.",

  recoverySubject: "Una contraseña nueva para {brand}",
  recoveryAbout: "Se ha pedido una contraseña nueva para tu cuenta en {brand}. Si has sido tú, elígela aquí:",
  recoveryAction: "Elegir una contraseña nueva",
  recoveryLifetime:
    "El enlace sirve una sola vez, durante 30 minutos. Una contraseña nueva cierra la sesión en todos tus dispositivos.",
  recoveryIgnore: "Si no has sido tú, no hagas nada: tu contraseña no cambia.",

  takenSubject: "Ya tienes una cuenta en {brand}",
  takenAbout:
    "Alguien se ha registrado en {brand} con esta dirección, que ya tiene una cuenta. Si has sido tú, inicia sesión como siempre o elige una contraseña nueva:",
  takenIgnore: "Si no has sido tú, no hagas nada: no ha cambiado nada.",
  verificationSubject: "Confirma tu dirección para {brand}",
  verificationAbout:
    "Alguien ha indicado esta dirección para una cuenta en {brand}. Si has sido tú, confírmala:",
  verificationAction: "Confirmar la dirección",
  verificationCode: "O escribe este código en la página que lo pide:",
  dayLifetime: "Sirve una sola vez, durante 24 horas.",
  verificationIgnore: "Si no has sido tú, no hagas nada: la dirección queda sin confirmar.",
  changeSubject: "Confirma tu nueva dirección para {brand}",
  changeAbout:
    "Alguien quiere usar esta dirección desde ahora para una cuenta en {brand}. Si has sido tú, confírmalo:",
  changeAction: "Usar esta dirección",
  changeIgnore: "Si no has sido tú, no hagas nada: la cuenta conserva su dirección.",
  changedSubject: "Tu dirección en {brand} ha cambiado",
  changedAbout: "Tu cuenta en {brand} tiene desde ahora la dirección {address}. Aquí ya no llega correo.",
  undoAction: "Deshacer el cambio",
  undoAbout:
    "Si no has sido tú, deshazlo antes de 72 horas: la cuenta recupera esta dirección y se cierran todas sus sesiones. Después elige una contraseña nueva. Si has sido tú, no hagas nada.",
  when: "Cuándo",
  device: "Dispositivo",
  address: "Dirección IP",
  wasYou: "Si has sido tú, no hagas nada.",
  passwordSubject: "Tu contraseña de {brand} ha cambiado",
  passwordAbout: "La contraseña de tu cuenta en {brand} se ha sustituido.",
  passwordAlarm: "Si no has sido tú, elige otra enseguida: así se cierran todas las sesiones de la cuenta.",
  deviceSubject: "Un nuevo inicio de sesión en {brand}",
  deviceAbout:
    "Alguien ha iniciado sesión en tu cuenta de {brand} con un navegador que antes no se había usado para ella.",
  deviceAlarm:
    "Si no has sido tú, alguien conoce tu contraseña: elige otra enseguida. Así se cierran todas las sesiones de la cuenta.",
  deletedSubject: "Tu cuenta en {brand} se ha eliminado",
  deletedAbout: "Tu cuenta en {brand} y todas sus sesiones ya no existen.",
  deletedAlarm: "Si no has sido tú, avisa a quienes llevan {brand}.",
};
