import { describeDevice, shortAddress } from "./device.ts";
import { CallbackField } from "./form.tsx";
import { fill, Filled, roughAge, timeOf, useTexts } from "./texts.tsx";

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
  /** What the forms carry in `callbackUrl`. */
  readonly callback: string;
}

const day = 24 * 60 * 60 * 1_000;
const shownMax = 50;

/** Where the visitor is signed in: this device first, then the newest. */
export function Sessions({ sessions, currentId, now, callback }: SessionsProps) {
  const { messages: m } = useTexts();
  const ordered = sessions.listed.toSorted(
    (one, other) =>
      Number(other.id === currentId) - Number(one.id === currentId) ||
      Date.parse(other.createdAt) - Date.parse(one.createdAt),
  );
  const hidden = sessions.total - Math.min(ordered.length, shownMax);
  return (
    <>
      <ul class="sessions">
        {ordered.slice(0, shownMax).map((session) => (
          <SessionRow
            key={session.id}
            session={session}
            isCurrent={session.id === currentId}
            now={now}
            callback={callback}
          />
        ))}
      </ul>
      {hidden > 0 && <p class="hint">{fill(m.moreDevices, { count: hidden })}</p>}
      {sessions.total > 1 && (
        <form method="post" action="/account/sessions/revoke-others">
          <CallbackField value={callback} />
          <button type="submit" class="button quiet" data-busy={m.signingOut}>
            {m.signOutOthers}
          </button>
        </form>
      )}
    </>
  );
}

interface RowProps {
  readonly session: ListedSession;
  readonly isCurrent: boolean;
  readonly now: number;
  readonly callback: string;
}

function SessionRow({ session, isCurrent, now, callback }: RowProps) {
  const texts = useTexts();
  const { messages: m } = texts;
  const device = describeDevice(session.userAgent, m);
  const signedIn = timeOf(texts, session.createdAt);
  return (
    <li>
      <div>
        <p class="device">
          {device}
          {isCurrent && <span class="badge">{m.thisDevice}</span>}
        </p>
        <p class="hint">{isCurrent ? m.activeNow : <Activity at={session.updatedAt} now={now} />}</p>
        <p class="hint">
          {session.ipAddress && <span class="address">{shortAddress(session.ipAddress)}</span>}
          <Filled
            text={m.signedInOn}
            values={{ time: <time dateTime={session.createdAt}>{signedIn}</time> }}
          />
        </p>
      </div>
      {!isCurrent && (
        <form method="post" action="/account/sessions/revoke">
          <CallbackField value={callback} />
          <input type="hidden" name="id" value={session.id} />
          <button type="submit" class="button quiet small">
            {m.signOut}
            <span class="visually-hidden">{` ${fill(m.deviceSignedInOn, { device, time: signedIn })}`}</span>
          </button>
        </form>
      )}
    </li>
  );
}

/** A session is marked as used once a day at most, so nothing finer is known. */
function Activity({ at, now }: { readonly at: string; readonly now: number }) {
  const texts = useTexts();
  const age = now - Date.parse(at);
  if (!(age >= day)) return <>{texts.messages.activeToday}</>;
  return <>{fill(texts.messages.lastActive, { age: roughAge(texts, age) })}</>;
}
