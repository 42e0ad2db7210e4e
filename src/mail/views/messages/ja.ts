import type { MailMessages } from "./en.ts";

export const ja: MailMessages = {
  greeting: "お世話になっております。",
  linkToo: "ボタンが使えない場合は、次のアドレスを開いてください。",
  why: "このメールは、{host} の {brand} で、どなたかがお客様のメールアドレスを入力したため送信されました。返信をいただいてもお読みできません。",
  questions: "ご不明な点は {contact} へお問い合わせください。",

  recoverySubject: "{brand} の新しいパスワードの設定",
  recoveryAbout:
    "{brand} のアカウントについて、新しいパスワードの設定が求められました。お心当たりがある場合は、こちらから設定してください。",
  recoveryAction: "新しいパスワードを設定",
  recoveryLifetime:
    "このリンクは一度だけ、30 分間有効です。新しいパスワードを設定すると、すべての端末からサインアウトします。",
  recoveryIgnore: "お心当たりがない場合は、何もする必要はありません。パスワードは変わりません。",

  takenSubject: "{brand} のアカウントは既にあります",
  takenAbout:
    "どなたかが、このアドレスで {brand} に登録しようとしましたが、このアドレスのアカウントは既にあります。お心当たりがある場合は、いつものようにサインインするか、新しいパスワードを設定してください。",
  takenIgnore: "お心当たりがない場合は、何もする必要はありません。何も変わっていません。",
  verificationSubject: "{brand} のメールアドレスの確認",
  verificationAbout:
    "どなたかが、このアドレスを {brand} のアカウントに入力しました。お心当たりがある場合は、確認してください。",
  verificationAction: "アドレスを確認",
  verificationCode: "または、コードを求めるページで次のコードを入力してください。",
  dayLifetime: "一度だけ、24 時間有効です。",
  verificationIgnore: "お心当たりがない場合は、何もする必要はありません。アドレスは未確認のままです。",
  changeSubject: "{brand} の新しいメールアドレスの確認",
  changeAbout:
    "どなたかが、今後 {brand} のアカウントでこのアドレスを使おうとしています。お心当たりがある場合は、確認してください。",
  changeAction: "このアドレスを使う",
  changeIgnore: "お心当たりがない場合は、何もする必要はありません。アカウントのアドレスは変わりません。",
  changedSubject: "{brand} のメールアドレスが変更されました",
  changedAbout:
    "{brand} のアカウントのアドレスは、今後 {address} になります。このアドレスにはメールが届かなくなります。",
  undoAction: "変更を取り消す",
  undoAbout:
    "お心当たりがない場合は、72 時間以内に取り消してください。アカウントのアドレスが元に戻り、すべての端末からサインアウトします。その後、新しいパスワードを設定してください。お心当たりがある場合は、何もする必要はありません。",
  when: "日時",
  device: "端末",
  address: "IP アドレス",
  wasYou: "お心当たりがある場合は、何もする必要はありません。",
  passwordSubject: "{brand} のパスワードが変更されました",
  passwordAbout: "{brand} のアカウントのパスワードが変更されました。",
  passwordAlarm:
    "お心当たりがない場合は、すぐに新しいパスワードを設定してください。すべての端末からサインアウトします。",
  deviceSubject: "{brand} への新しいサインイン",
  deviceAbout: "これまで使われたことのないブラウザーから、{brand} のアカウントへのサインインがありました。",
  deviceAlarm:
    "お心当たりがない場合は、パスワードを知られています。すぐに新しいパスワードを設定してください。すべての端末からサインアウトします。",
  deletedSubject: "{brand} のアカウントが削除されました",
  deletedAbout: "{brand} のアカウントと、そのすべてのセッションが削除されました。",
  deletedAlarm: "お心当たりがない場合は、{brand} の運営者にお知らせください。",
};
