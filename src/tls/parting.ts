import type { Front } from "../front.ts";
import type { FastRoutes } from "../http/fast-path.ts";

/** What answers as `front` does, and has the client open another connection for its next request. */
export function createPartingFront(front: Front): Front {
  const part = (response: Response): Response => {
    response.headers.set("Connection", "close");
    return response;
  };
  const routes = Object.entries(front.routes).map(([path, { GET, HEAD }]) => [
    path,
    {
      GET: async (...asked: Parameters<typeof GET>) => part(await GET(...asked)),
      HEAD: async (...asked: Parameters<typeof HEAD>) => part(await HEAD(...asked)),
    },
  ]);
  return {
    fetch: async (...asked) => part(await front.fetch(...asked)),
    routes: Object.fromEntries(routes) as FastRoutes,
  };
}
