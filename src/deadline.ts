/** Settles as `work` does, or rejects with `expired()` after `timeoutMs`; the work itself is not stopped. */
export function withDeadline<T>(work: Promise<T>, timeoutMs: number, expired: () => Error): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(expired()), Math.max(0, timeoutMs));
  work.then(resolve, reject).finally(() => clearTimeout(timer));
  return promise;
}
