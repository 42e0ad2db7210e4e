/** Headers that every answer of the API carries; HSTS only where the public URL is https. */
export function securityHeaders(https: boolean): Readonly<Record<string, string>> {
  return {
    "X-Content-Type-Options": "nosniff",
    // `no-referrer` would turn the Origin of our own forms into `null`.
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    ...(https ? { "Strict-Transport-Security": "max-age=31536000; includeSubDomains" } : {}),
  };
}

const crossOriginHeaders = [
  "access-control-allow-origin",
  "access-control-allow-credentials",
  "access-control-allow-methods",
  "access-control-allow-headers",
  "access-control-expose-headers",
  "access-control-max-age",
];

/** Removes what @elysiajs/cors sends to origins that are not on the list: an answer without Allow-Origin has none. */
export function dropUngrantedCors(headers: Headers): void {
  if (!headers.has("access-control-allow-origin")) dropCors(headers);
}

export function dropCors(headers: Headers): void {
  for (const name of crossOriginHeaders) headers.delete(name);
}

/** Whether an inbound request id may be kept. */
export function isRequestId(value: string): boolean {
  return /^[A-Za-z0-9._-]{1,64}$/.test(value);
}

/** Makes request ids that are unique across processes and cost next to nothing: a random prefix and a counter. */
export function createRequestIds(): () => string {
  const prefix = crypto.randomUUID().slice(0, 13);
  let count = 0;
  return () => `${prefix}-${(count++).toString(36)}`;
}
