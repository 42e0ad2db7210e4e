/**
 * The least a Bun server can do: answers one path with one status, headers and body, given by BARE_RESPONSE as JSON.
 * `routes`, a prebuilt `Headers` and encoded bytes are the fastest form in which each answer is still made anew.
 */
const answer = JSON.parse(process.env["BARE_RESPONSE"] ?? "") as {
  readonly path: string;
  readonly status: number;
  readonly headers: [string, string][];
  readonly body: string;
};
const bytes = new TextEncoder().encode(answer.body);
const init = { status: answer.status, headers: new Headers(answer.headers) };

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  development: false,
  routes: {
    [answer.path]: () => new Response(bytes, init),
    "/health": () => new Response("ok"),
  },
  fetch: () => new Response("not found", { status: 404 }),
});
console.log(JSON.stringify({ event: "listening", url: `http://127.0.0.1:${server.port}` }));
