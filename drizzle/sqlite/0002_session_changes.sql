-- Which cached sessions a commit concerns, by token. AUTOINCREMENT never uses a number twice, so a gap shows.
-- The triggers fire before the change, so that they also see the rows that INSERT OR REPLACE removes silently.
CREATE TABLE `session_change` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`token` text NOT NULL
);
--> statement-breakpoint
CREATE TRIGGER `session_change_session_insert` BEFORE INSERT ON `session` BEGIN
	INSERT INTO `session_change` (`token`) SELECT `token` FROM `session` WHERE `id` = NEW.`id` OR `token` = NEW.`token`;
END;
--> statement-breakpoint
CREATE TRIGGER `session_change_session_update` BEFORE UPDATE ON `session` BEGIN
	INSERT INTO `session_change` (`token`) SELECT `token` FROM `session` WHERE `id` IN (OLD.`id`, NEW.`id`) OR `token` IN (OLD.`token`, NEW.`token`);
END;
--> statement-breakpoint
CREATE TRIGGER `session_change_session_delete` BEFORE DELETE ON `session` BEGIN
	INSERT INTO `session_change` (`token`) VALUES (OLD.`token`);
END;
--> statement-breakpoint
CREATE TRIGGER `session_change_user_insert` BEFORE INSERT ON `user` BEGIN
	INSERT INTO `session_change` (`token`) SELECT s.`token` FROM `user` u JOIN `session` s ON s.`user_id` = u.`id` WHERE u.`id` = NEW.`id` OR u.`email` = NEW.`email`;
END;
--> statement-breakpoint
CREATE TRIGGER `session_change_user_update` BEFORE UPDATE ON `user` BEGIN
	INSERT INTO `session_change` (`token`) SELECT s.`token` FROM `user` u JOIN `session` s ON s.`user_id` = u.`id` WHERE u.`id` IN (OLD.`id`, NEW.`id`) OR u.`email` = NEW.`email`;
END;
--> statement-breakpoint
CREATE TRIGGER `session_change_user_delete` BEFORE DELETE ON `user` BEGIN
	INSERT INTO `session_change` (`token`) SELECT `token` FROM `session` WHERE `user_id` = OLD.`id`;
END;
