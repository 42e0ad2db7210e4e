/** Headers that every answer carries; HSTS only where the public URL is https. Pages bring a policy of their own. */
export function securityHeaders(secure: boolean): Readonly<Record<string, string>> {
  return {
    "X-Content-Type-Options": "nosniff",
    // `no-referrer` would turn the Origin of our own forms into `null`.
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    ...(secure ? { "Strict-Transport-Security": "max-age=31536000" } : {}),
  };
}
