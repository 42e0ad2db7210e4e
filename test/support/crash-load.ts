import { audit, enrol, inspect, type Place, send, type Settled, topUp } from "./crash-audit.ts";
import { type Deed, nextDeed, openPage, type Page } from "./ledger.ts";

const people = 8;
/** So many of them do nothing but sign up, each time as somebody else. */
const newcomers = 2;
const sessionsEach = 6;

interface Figures extends Settled {
  crashes: number;
  acknowledged: number;
  /** Acknowledged deeds by their name. */
  readonly deeds: Record<string, number>;
}

/** Eight people who write without a pause until they hear nothing, and the ledger of what they were told. */
export interface CrashLoad {
  readonly figures: Figures;
  /** What was found wrong, whenever. */
  readonly wrong: string[];
  /** Everybody's page, those of deleted accounts too. */
  readonly pages: readonly Page[];
  /** Lets everybody write until `crash` has happened and nobody hears anything any more. */
  run(place: Place, crash: Crash): Promise<void>;
  /** Holds what is there against the ledger: of those who wrote last, or of all. */
  check(place: Place, whose?: "the last" | "all"): Promise<void>;
  /** Readies those who write next: an account each, and sessions that can be ended. */
  prepare(place: Place): Promise<void>;
}

export interface Crash {
  /** Crashes at this acknowledgement, in the turn in which it arrives, or `afterMs` after the first request. */
  readonly at: { readonly acknowledgements: number } | { readonly afterMs: number };
  /** Sends the signal. */
  readonly strike: () => void;
}

/** In turn: at an acknowledgement that has just arrived, and at any time. */
export function anyMoment(cycle: number): Crash["at"] {
  return cycle % 2 === 0
    ? { acknowledgements: 1 + Math.floor(Math.random() * 20) }
    : { afterMs: Math.random() * 250 };
}

export function createCrashLoad(): CrashLoad {
  const figures: Figures = { crashes: 0, acknowledged: 0, done: 0, undone: 0, deeds: {} };
  const wrong: string[] = [];
  const pages: Page[] = [];
  /** Since the last check. */
  const touched = new Set<Page>();
  let made = 0;
  const newPage = () => {
    const page = openPage(`crash-${(made += 1)}@example.com`);
    pages.push(page);
    return page;
  };
  let writing = Array.from({ length: people }, newPage);

  /** One after the other, until one has no answer: that is in doubt. @returns the page it was on. */
  const write = async (
    first: Page,
    isNewcomer: boolean,
    place: Place,
    acknowledged: (deed: Deed) => void,
  ): Promise<Page> => {
    let page = first;
    for (;;) {
      touched.add(page);
      const deed = nextDeed(page);
      page.doubt = deed.after(page.told, null);
      const answer = await send(place, deed)
        .then(async (response) => ({ status: response.status, text: await response.text() }))
        .catch(() => undefined);
      if (answer === undefined || answer.status === 503) return page;
      if (answer.status !== 200) {
        wrong.push(`${page.email}: ${deed.name} answered ${answer.status} ${answer.text}`);
        return page;
      }
      const { token } = JSON.parse(answer.text) as { readonly token?: string | null };
      page.told = deed.after(page.told, token ?? null);
      page.doubt = null;
      acknowledged(deed);
      if (isNewcomer || !page.told.exists) page = newPage();
    }
  };

  return {
    figures,
    wrong,
    pages,
    async run(place, { at, strike }) {
      let left = "acknowledgements" in at ? at.acknowledgements : Number.POSITIVE_INFINITY;
      let struck = false;
      const hit = () => {
        if (struck) return;
        struck = true;
        figures.crashes += 1;
        strike();
      };
      const timer = setTimeout(hit, "afterMs" in at ? at.afterMs : 20_000);
      writing = await Promise.all(
        writing.map((page, at) =>
          write(page, at < newcomers, place, ({ name }) => {
            figures.acknowledged += 1;
            figures.deeds[name] = (figures.deeds[name] ?? 0) + 1;
            left -= 1;
            if (left <= 0) hit();
          }),
        ),
      );
      clearTimeout(timer);
      hit();
    },
    async check(place, whose = "the last") {
      wrong.push(...(await inspect(place.database)));
      const held = whose === "all" ? pages : [...touched];
      for (let at = 0; at < held.length; at += people) {
        const some = held.slice(at, at + people);
        const found = await Promise.all(some.map((page) => audit(page, place, figures, whose === "all")));
        wrong.push(...found.flat());
      }
      touched.clear();
    },
    async prepare(place) {
      writing = writing.map((page, at) => {
        const isDone = at < newcomers ? page.told.exists : !page.told.exists && page.told.name !== "";
        return isDone ? newPage() : page;
      });
      for (const page of writing.slice(newcomers)) {
        if (!page.told.exists) await enrol(page, place);
        await topUp(page, place, sessionsEach);
      }
    },
  };
}
