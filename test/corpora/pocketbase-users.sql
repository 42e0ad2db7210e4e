-- `sqlite3 pb_data/data.db ".dump users"` of PocketBase 0.40.4 (bench/peers/pocketbase.ts builds it), after three POST
-- /api/collections/users/records with the passwords that test/docs/moving.test.ts has.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE `users` (`avatar` TEXT DEFAULT '' NOT NULL, `created` TEXT DEFAULT '' NOT NULL, `email` TEXT DEFAULT '' NOT NULL, `emailVisibility` BOOLEAN DEFAULT FALSE NOT NULL, `id` TEXT PRIMARY KEY DEFAULT ('r'||lower(hex(randomblob(7)))) NOT NULL, `name` TEXT DEFAULT '' NOT NULL, `password` TEXT DEFAULT '' NOT NULL, `tokenKey` TEXT DEFAULT '' NOT NULL, `updated` TEXT DEFAULT '' NOT NULL, `verified` BOOLEAN DEFAULT FALSE NOT NULL);
INSERT INTO users VALUES('','2026-11-22 10:24:01.463Z','ann@example.com',0,'ndjk03bkhlvs1br','Ann Example','$2a$10$km6L3.euv42JAbeJwl5snOpWHNU1BPZoH9FPDZk8jQS6m2pZJvxjG','23ETQutw90hGhSm0pL63L7mfXvT9Vrufeu3A6VrYJfLosuN7or','2026-11-22 10:24:01.463Z',0);
INSERT INTO users VALUES('','2026-11-22 10:24:01.658Z','ben@example.com',0,'o60hylx3n4y7iqt','','$2a$10$7a8TPv8RfQKA8vsVe02dDO.qPT0Cwi8YbyFxDxigNLS0ECYFtFinO','Sdbc8UO1xzLdcJNxipAs5wsQQyqN7DDak0HNMjfo3EEpj639ZW','2026-11-22 10:24:01.658Z',0);
INSERT INTO users VALUES('','2026-11-22 10:24:01.831Z','cat@example.com',0,'krmihkno2ia7a8g','=1+1','$2a$10$QXMFsllSxMOzY72yTJy0Q.CcNTiXay1XaZnjuHYykLgZdpEzG690i','VzGeDjxpAYuHGRGyfIxVbzNklmAASEse2fa9aZGq1ECJgMArO5','2026-11-22 10:24:01.831Z',0);
COMMIT;
