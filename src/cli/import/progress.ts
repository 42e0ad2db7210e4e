import type { CommandContext } from "../command.ts";

/** Says how far a long command is, on a terminal and nowhere else. */
export interface Progress {
  /** @param share of the whole, 0 to 1; undefined where that is not known. */
  show(done: number, share: number | undefined): void;
  /** Leaves the terminal a line of its own. */
  end(): void;
}

const everyMs = 250;

/** One line, written over: a screen reader reads it when it is asked to. @param what is done, in the plural. */
export function createProgress(
  { isTerminal, prompt }: Pick<CommandContext, "isTerminal" | "prompt">,
  now: () => number,
  what: string,
): Progress {
  const started = now();
  let shownAt = started;
  let isShown = false;
  return {
    show(done, share) {
      const at = now();
      if (!isTerminal || at - shownAt < everyMs) return;
      [shownAt, isShown] = [at, true];
      const perSecond = Math.round((done * 1_000) / (at - started));
      const far = share === undefined ? "" : `${Math.floor(share * 100)} %, `;
      prompt(`\r${far}${done} ${what}, ${perSecond} a second\x1b[K`);
    },
    end() {
      if (isShown) prompt("\n");
    },
  };
}
