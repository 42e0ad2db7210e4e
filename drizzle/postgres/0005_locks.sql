-- Who may not sign in. A lock ends the user's sessions in its own transaction, and no session begins while it is there.
CREATE TABLE "latchkey_lock" (
	"user_id" text PRIMARY KEY NOT NULL REFERENCES "user"("id") ON DELETE cascade,
	"locked_at" bigint NOT NULL
);
