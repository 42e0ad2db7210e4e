-- Mail that waits to be sent, written with what caused it, and mail that could not be sent. What was sent is deleted.
CREATE TABLE `latchkey_mail` (
	`id` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`recipient` text NOT NULL,
	`payload` text NOT NULL,
	`created_at` integer NOT NULL,
	`next_at` integer NOT NULL,
	`attempts` integer NOT NULL,
	`failed_at` integer,
	`failure` text
);
--> statement-breakpoint
CREATE INDEX `latchkey_mail_next_idx` ON `latchkey_mail` (`next_at`) WHERE `failed_at` IS NULL;
