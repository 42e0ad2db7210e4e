/** Everything that mails say. `{…}` stands for a value; a language is a file of its own with the same keys. */
export const en = {
  greeting: "Hello,",
  /** Behind a link that a button has, too. */
  linkToo: "If the button does not work, open this address:",
  why: "{brand} at {host} sent this, because somebody used your address there. Nobody reads replies to it.",
  questions: "Questions? Ask {contact}.",

  recoverySubject: "Set a new password for {brand}",
  recoveryAbout:
    "Somebody asked for a new password for your account at {brand}. If that was you, choose one here:",
  recoveryAction: "Set a new password",
  recoveryLifetime: "The link works once, and for 30 minutes. A new password signs you out on every device.",
  recoveryIgnore: "If it was not you, do nothing: your password stays as it is.",

  takenSubject: "You have an account at {brand} already",
  takenAbout:
    "Somebody signed up at {brand} with this address, which has an account already. If that was you, sign in as you used to, or set a new password:",
  takenIgnore: "If it was not you, do nothing: nothing was changed.",
  verificationSubject: "Confirm your address for {brand}",
  verificationAbout: "Somebody gave this address for an account at {brand}. If that was you, confirm it:",
  verificationAction: "Confirm the address",
  verificationCode: "Or type this code on the page that asks for it:",
  dayLifetime: "It works once, and for 24 hours.",
  verificationIgnore: "If it was not you, do nothing: the address stays unconfirmed.",
  changeSubject: "Confirm your new address for {brand}",
  changeAbout:
    "Somebody wants to use this address for an account at {brand} from now on. If that was you, confirm it:",
  changeAction: "Use this address",
  changeIgnore: "If it was not you, do nothing: the account keeps the address that it has.",
  changedSubject: "Your address at {brand} was changed",
  changedAbout: "Your account at {brand} has the address {address} from now on. Mail no longer comes here.",
  undoAction: "Undo the change",
  undoAbout:
    "If it was not you, undo it within 72 hours: the account gets this address back, and everybody is signed out of it. Then set a new password. If it was you, do nothing.",
  when: "When",
  device: "Device",
  address: "IP address",
  wasYou: "If it was you, do nothing.",
  passwordSubject: "Your password for {brand} was changed",
  passwordAbout: "The password of your account at {brand} was replaced.",
  passwordAlarm: "If it was not you, set a new one at once: that signs everybody out of the account.",
  deviceSubject: "A new sign-in to {brand}",
  deviceAbout: "Somebody signed in to your account at {brand}, in a browser that was not used for it before.",
  deviceAlarm:
    "If it was not you, somebody knows your password: set a new one at once. That signs everybody out of the account.",
  deletedSubject: "Your account at {brand} was deleted",
  deletedAbout: "Your account at {brand} and all of its sessions are gone.",
  deletedAlarm: "If it was not you, tell whoever runs {brand}.",
};

export type MailMessages = Readonly<Record<keyof typeof en, string>>;
