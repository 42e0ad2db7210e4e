/** What a stand-in of the range API does with what it is asked. */
export type RangeBehaviour =
  | "answer"
  | "silence"
  | "trickle"
  | "500"
  | "redirect"
  | "page"
  | "empty"
  | "endless"
  | "compressed";

/** A stand-in of the range API of Pwned Passwords, with the SHA-1 hashes of the passwords that it is given. */
export interface RangeServer {
  /** What LATCHKEY_PASSWORD_BREACHED_URL is. */
  readonly url: string;
  /** What was asked, in order. */
  readonly asked: {
    readonly prefix: string;
    readonly padding: string | null;
    readonly agent: string | null;
  }[];
  /** Paths that were asked for beside ranges. */
  readonly strays: string[];
  behave(how: RangeBehaviour): void;
  stop(): Promise<void>;
}

export function sha1Of(text: string): Buffer {
  return new Bun.CryptoHasher("sha1").update(text).digest();
}

export function sha1Digits(text: string): string {
  return sha1Of(text).toString("hex").toUpperCase();
}

/** @param padded passwords whose hashes stand in its answers with the count 0, as padding does. */
export function openRangeServer(breached: readonly string[], padded: readonly string[] = []): RangeServer {
  const asked: RangeServer["asked"] = [];
  const strays: string[] = [];
  let behaviour: RangeBehaviour = "answer";
  const answer = (prefix: string) => {
    const own = (texts: readonly string[], count: number) =>
      texts
        .map(sha1Digits)
        .filter((digits) => digits.startsWith(prefix))
        .map((digits) => `${digits.slice(5)}:${count}`);
    const others = (count: number, seen: number) =>
      Array.from({ length: count }, (_, at) => `${sha1Digits(`${prefix} ${at} ${seen}`).slice(5)}:${seen}`);
    const padding = [...own(padded, 0), ...others(200, 0)];
    return [...others(800, 3), ...own(breached, 42)].sort().concat(padding).join("\r\n");
  };
  const stopped = new AbortController();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const [, prefix = ""] = /^\/range\/([0-9A-F]{5})$/.exec(pathname) ?? [];
      if (prefix === "") strays.push(pathname);
      else {
        const { headers } = request;
        asked.push({ prefix, padding: headers.get("add-padding"), agent: headers.get("user-agent") });
      }
      const text = answer(prefix);
      switch (behaviour) {
        case "answer":
          return new Response(text);
        case "silence":
          return await new Promise<Response>((resolve) =>
            stopped.signal.addEventListener("abort", () => resolve(new Response(text))),
          );
        case "trickle":
          return new Response(slowly(text, stopped.signal));
        case "500":
          return new Response(text, { status: 500 });
        case "redirect":
          return Response.redirect(new URL(`/elsewhere/${prefix}`, request.url).href, 302);
        case "page":
          return new Response(`<html>${text}</html>`);
        case "empty":
          return new Response("");
        case "endless":
          return new Response(`${text}\r\n`.repeat(50));
        case "compressed":
          return new Response(Bun.gzipSync(text), { headers: { "content-encoding": "gzip" } });
      }
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/range`,
    asked,
    strays,
    behave(how) {
      behaviour = how;
    },
    async stop() {
      stopped.abort();
      await server.stop(true);
    },
  };
}

/** A line every 300 ms: no single wait is long. */
function slowly(text: string, stopped: AbortSignal): ReadableStream<Uint8Array> {
  const lines = text.split("\r\n").values();
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = lines.next();
      if (done === true || stopped.aborted) return controller.close();
      controller.enqueue(new TextEncoder().encode(`${value}\r\n`));
      await Bun.sleep(300);
    },
  });
}
