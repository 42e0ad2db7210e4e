import { describeDevice } from "./device.ts";

/** A row of the API's session list; instants are ISO 8601. */
interface ListedSession {
  readonly id: string;
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface SessionList {
  /** The newest. */
  readonly listed: readonly ListedSession[];
  /** How many there are, those included. */
  readonly total: number;
}

interface SessionsProps {
  readonly sessions: SessionList;
  readonly currentId: string;
  /** ms since the epoch. */
  readonly now: number;
}

const day = 24 * 60 * 60 * 1_000;
const shownMax = 50;

/** Where the visitor is signed in: this device first, then the most recently active. */
export function Sessions({ sessions, currentId, now }: SessionsProps) {
  const ordered = sessions.listed.toSorted(
    (one, other) =>
      Number(other.id === currentId) - Number(one.id === currentId) ||
      Date.parse(other.updatedAt) - Date.parse(one.updatedAt),
  );
  const hidden = sessions.total - Math.min(ordered.length, shownMax);
  return (
    <>
      <ul class="sessions">
        {ordered.slice(0, shownMax).map((session) => (
          <SessionRow key={session.id} session={session} isCurrent={session.id === currentId} now={now} />
        ))}
      </ul>
      {hidden > 0 && <p class="hint">{`and ${hidden} more, signed in on other devices`}</p>}
      {sessions.total > 1 && (
        <form method="post" action="/account/sessions/revoke-others">
          <button type="submit" class="button quiet" data-busy="Signing out…">
            Sign out all other devices
          </button>
        </form>
      )}
    </>
  );
}

function SessionRow(props: { session: ListedSession; isCurrent: boolean; now: number }) {
  const { session, isCurrent, now } = props;
  const device = describeDevice(session.userAgent);
  return (
    <li>
      <div>
        <p class="device">
          {device}
          {isCurrent && <span class="badge">This device</span>}
        </p>
        <p class="hint">{isCurrent ? "Active now" : <Activity at={session.updatedAt} now={now} />}</p>
        <p class="hint">
          {session.ipAddress && <span class="address">{session.ipAddress}</span>}
          Signed in <Day at={session.createdAt} />
        </p>
      </div>
      {!isCurrent && (
        <form method="post" action="/account/sessions/revoke">
          <input type="hidden" name="id" value={session.id} />
          <button type="submit" class="button quiet small">
            Sign out
            <span class="visually-hidden">{` ${device}, signed in ${dayOf(session.createdAt)}`}</span>
          </button>
        </form>
      )}
    </li>
  );
}

/** A session is marked as used once a day at most, so nothing finer is known. */
function Activity({ at, now }: { readonly at: string; readonly now: number }) {
  if (now - Date.parse(at) < day) return <>Active within the last day</>;
  return (
    <>
      Last active around <Day at={at} />
    </>
  );
}

function Day({ at }: { readonly at: string }) {
  return <time dateTime={at}>{dayOf(at)}</time>;
}

/** `3 November 2025`, in UTC: the server does not know the visitor's zone. */
function dayOf(at: string): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return "";
  return date.toLocaleDateString("en-GB", {
    day: "numeric",
    month: "long",
    year: "numeric",
    timeZone: "UTC",
  });
}
