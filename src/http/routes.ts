import { authRoutes } from "../auth/routes.ts";

const read = ["GET", "HEAD"] as const;
const form = [...read, "POST"] as const;

/** Every address of the server and the methods it takes, besides OPTIONS; HEAD comes with GET. */
export const routes: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ["/", read],
  ["/signin", form],
  ["/signup", form],
  ["/signout", form],
  ["/account", read],
  ["/account/profile", form],
  ["/account/password", form],
  ["/account/sessions/revoke", form],
  ["/account/sessions/revoke-others", form],
  ["/account/delete", form],
  ["/openapi.json", read],
  ["/health", ["GET", "HEAD"]],
  ["/health/live", ["GET", "HEAD"]],
  ["/api/auth/verify", ["GET", "HEAD"]],
  ["/api/auth/forward", ["GET", "HEAD"]],
  ["/api/auth/session", ["GET", "HEAD"]],
  ...[...authRoutes].map(
    ([path, method]) =>
      [`/api/auth${path}`, method === "GET" ? ["GET", "HEAD"] : [method]] as [string, string[]],
  ),
]);

/** The methods that a path takes; undefined where there is nothing. */
export function methodsOf(path: string): readonly string[] | undefined {
  return path.startsWith("/assets/") ? read : routes.get(path);
}

/** Whether a path answers for a proxy or an API: the same for every origin, and never with CORS. */
export function isVerification(path: string): boolean {
  return path === "/api/auth/verify" || path === "/api/auth/forward";
}

/** Whether what is at a path, or would be, answers in HTML. */
export function isPage(path: string): boolean {
  return /^\/(?:$|(?:signin|signup|signout|account|assets)(?:\/|$))/.test(path);
}

/** A path without its trailing slash: both are the same route. */
export function canonicalPath(path: string): string {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}
