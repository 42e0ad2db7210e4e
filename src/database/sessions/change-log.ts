import type { Database } from "bun:sqlite";
import { migrations } from "../migrations.ts";

/** Reads what commits changed, so that a cache need not be dropped whole at each of them. */
export interface ChangeLog {
  /**
   * The tokens of the sessions that were changed since the last call, by whichever connection; null when that cannot
   * be told (the first call, a trimmed or restored log, missing triggers) and everything must count as changed.
   */
  read(): readonly string[] | null;
  close(): void;
}

/** More changes than this are cheaper to forget wholesale. */
const readMax = 1_000;

/** Opens the log that migration 0002's triggers write; it is trusted only while those stand as they were made. */
export function openChangeLog(reader: Database): ChangeLog {
  const entries = reader.query<{ seq: number; token: string }, [number, number]>(
    "SELECT seq, token FROM session_change WHERE seq > ? ORDER BY seq LIMIT ?",
  );
  const newest = reader.query<{ seq: number | null }, []>(
    "SELECT seq FROM sqlite_sequence WHERE name = 'session_change'",
  );
  const schemaVersion = reader.query<{ schema_version: number }, []>("PRAGMA schema_version");
  const triggers = reader.query<{ sql: string }, []>(
    "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'session\\_change\\_%' ESCAPE '\\' ORDER BY name",
  );
  const expected = expectedTriggers();
  let schema: number | undefined;
  let trusted = false;
  let seen = -1;

  /** Whether the schema is the one last looked at; looks again where it is not. */
  const isSameSchema = (): boolean => {
    const current = schemaVersion.get()?.schema_version;
    if (current === schema) return true;
    trusted = JSON.stringify(triggers.all().map(({ sql }) => sql)) === expected;
    schema = current;
    return false;
  };
  return {
    read() {
      if (!isSameSchema() || !trusted || seen < 0) {
        // Read before anything is cached anew: what is logged after it will be seen next time.
        seen = newest.get()?.seq ?? 0;
        return null;
      }
      const changes = entries.all(seen, readMax);
      const [first, last] = [changes[0], changes.at(-1)];
      const isWhole = first === undefined ? (newest.get()?.seq ?? 0) === seen : first.seq === seen + 1;
      if (!isWhole || changes.length === readMax) {
        seen = newest.get()?.seq ?? 0;
        return null;
      }
      seen = last?.seq ?? seen;
      return changes.map(({ token }) => token);
    },
    close() {
      for (const statement of [entries, newest, schemaVersion, triggers]) statement.finalize();
    },
  };
}

function expectedTriggers(): string {
  const statements = migrations.sqlite.flatMap((migration) => migration.statements);
  const made = statements.filter((statement) => statement.startsWith("CREATE TRIGGER `session_change_"));
  return JSON.stringify(made.map((statement) => statement.replace(/;$/, "")).sort());
}
