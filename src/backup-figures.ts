/** What came of the backups that `serve` makes: plain fields, which change as it goes. */
export interface BackupFigures {
  /** When the newest in the folder was made, also by another process; in ms since the epoch. Null where none is. */
  lastMadeAt: number | null;
  /** The size of that one. */
  lastBytes: number | null;
  /** Tries of this process that failed. */
  failures: number;
  /** Those among them since one succeeded. */
  failuresInARow: number;
}

export function createBackupFigures(): BackupFigures {
  return { lastMadeAt: null, lastBytes: null, failures: 0, failuresInARow: 0 };
}
