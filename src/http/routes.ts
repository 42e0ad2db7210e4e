import { authRoutes } from "../auth/routes.ts";

/** Every address of the server and the methods it takes, besides OPTIONS; HEAD comes with GET. */
export const routes: ReadonlyMap<string, readonly string[]> = new Map([
  ["/health", ["GET", "HEAD"]],
  ["/health/live", ["GET", "HEAD"]],
  ["/api/auth/verify", ["GET", "HEAD"]],
  ["/api/auth/session", ["GET", "HEAD"]],
  ...[...authRoutes].map(
    ([path, method]) =>
      [`/api/auth${path}`, method === "GET" ? ["GET", "HEAD"] : [method]] as [string, string[]],
  ),
]);

/** A path without its trailing slash: both are the same route. */
export function canonicalPath(path: string): string {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}
