const hostPattern = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/** Whether a request says, once and readably, which host it is for; two Host headers arrive joined by a comma. */
export function isHost(host: string | null): boolean {
  return host !== null && hostPattern.test(host);
}

/** Builds `isHost` with a memory of the last good one: callers of the hot routes always name the same. */
export function createHostMemory(): (host: string | null) => boolean {
  let good: string | null = null;
  return (host) => {
    if (host !== null && host === good) return true;
    if (!isHost(host)) return false;
    good = host;
    return true;
  };
}
