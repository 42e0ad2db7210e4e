-- Who may not sign in. A lock ends the user's sessions in its own transaction, and no session begins while it is there.
CREATE TABLE `latchkey_lock` (
	`user_id` text PRIMARY KEY NOT NULL,
	`locked_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `user`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
