-- Mail that waits to be sent, written with what caused it, and mail that could not be sent. What was sent is deleted.
CREATE TABLE "latchkey_mail" (
	"id" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"recipient" text NOT NULL,
	"payload" text NOT NULL,
	"created_at" bigint NOT NULL,
	"next_at" bigint NOT NULL,
	"attempts" integer NOT NULL,
	"failed_at" bigint,
	"failure" text
);
--> statement-breakpoint
CREATE INDEX "latchkey_mail_next_idx" ON "latchkey_mail" USING btree ("next_at") WHERE "failed_at" IS NULL;
