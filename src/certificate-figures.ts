/** What is counted of the server's own certificate: plain fields, which change as it goes. */
export interface CertificateFigures {
  /** When the one that is served ends, in ms since the epoch; null while there is none. */
  notAfter: number | null;
  /** Orders, and new files, that came to nothing. */
  failures: number;
}

export function createCertificateFigures(): CertificateFigures {
  return { notAfter: null, failures: 0 };
}
