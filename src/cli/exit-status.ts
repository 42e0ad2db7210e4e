/** Exit statuses: done, failed, used wrongly. */
export const exitStatus = { ok: 0, failed: 1, usage: 2 } as const;
