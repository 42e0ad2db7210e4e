-- How often somebody tried, by a keyed hash of who and what. Rows end by themselves, and are swept.
CREATE TABLE "latchkey_limit" (
	"key" text PRIMARY KEY NOT NULL,
	"points" integer NOT NULL,
	"expires_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE INDEX "latchkey_limit_expires_idx" ON "latchkey_limit" USING btree ("expires_at");
