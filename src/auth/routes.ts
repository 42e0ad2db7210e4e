/** BetterAuth's routes that answer here, each with its one method; everything else below `/api/auth` is 404. */
export const authRoutes: ReadonlyMap<string, "GET" | "POST"> = new Map([
  ["/sign-up/email", "POST"],
  ["/sign-in/email", "POST"],
  ["/sign-out", "POST"],
  ["/get-session", "GET"],
  ["/list-sessions", "GET"],
  ["/revoke-session", "POST"],
  ["/revoke-sessions", "POST"],
  ["/revoke-other-sessions", "POST"],
  ["/change-password", "POST"],
  ["/update-user", "POST"],
  ["/delete-user", "POST"],
]);
