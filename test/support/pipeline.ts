/** One answer on a pipelined connection. */
interface PipelinedAnswer {
  readonly status: number;
  readonly body: string;
}

/** One keep-alive connection whose requests do not wait for each other's answers. */
export interface Pipeline {
  /** Sends at once, whatever is still unanswered; answers come in order. Rejects when the connection is lost. */
  get(path: string, cookie: string): Promise<PipelinedAnswer>;
  close(): void;
}

/**
 * Only where answers are made at once (SQLite's hot routes): Bun closes a connection on which a request arrives while
 * an earlier one waits for its asynchronous answer.
 * @param url of the server, e.g. `http://127.0.0.1:3001`.
 */
export async function openPipeline(url: string): Promise<Pipeline> {
  const { hostname, port } = new URL(url);
  const waiting: PromiseWithResolvers<PipelinedAnswer>[] = [];
  let buffered = "";
  let isLost = false;
  const lose = () => {
    isLost = true;
    for (const one of waiting.splice(0)) one.reject(new Error("the connection was lost"));
  };
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data(_socket, chunk) {
        buffered += chunk.toString("latin1");
        for (;;) {
          const answer = takeAnswer(buffered);
          if (answer === undefined) return;
          buffered = buffered.slice(answer.length);
          waiting.shift()?.resolve(answer);
        }
      },
      close: lose,
      error: lose,
    },
  });
  return {
    get(path, cookie) {
      const one = Promise.withResolvers<PipelinedAnswer>();
      if (isLost) return Promise.reject(new Error("the connection was lost"));
      waiting.push(one);
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nCookie: ${cookie}\r\n\r\n`);
      return one.promise;
    },
    close: () => socket.end(),
  };
}

/** The first whole answer in `text`, and how long it is. Every answer of latchkey's here has a Content-Length. */
function takeAnswer(text: string): (PipelinedAnswer & { readonly length: number }) | undefined {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const head = text.slice(0, headEnd);
  const size = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
  const length = headEnd + 4 + size;
  if (text.length < length) return undefined;
  return { status: Number(head.slice(9, 12)), body: text.slice(headEnd + 4, length), length };
}

/** The same interface over connections of `fetch`, each request on one that is free. */
export function openConnections(url: string): Pipeline {
  return {
    async get(path, cookie) {
      const response = await fetch(url + path, { headers: { cookie } });
      return { status: response.status, body: await response.text() };
    },
    close: () => {},
  };
}

/** The same over connections that may be lost: a request whose connection is lost is sent again, on a new one. */
export function openPersistent(open: () => Promise<Pipeline>): Pipeline {
  let current: Promise<Pipeline> | undefined;
  return {
    async get(path, cookie) {
      for (let tried = 1; ; tried += 1) {
        current ??= open();
        const used = current;
        try {
          return await (await used).get(path, cookie);
        } catch (error) {
          if (current === used) current = undefined;
          if (tried === triesMax) throw error;
        }
      }
    },
    close: () => void current?.then((pipeline) => pipeline.close()),
  };
}

const triesMax = 5;
