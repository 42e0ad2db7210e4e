import type { Socket } from "bun";

/**
 * What is said to a command in upper case, to `GREETING` at the start and to `.` at a message's end; null: nothing, undefined: what
 * others say.
 */
type SmtpScript = (
  command: string,
  connection: number,
) => string | { readonly last: string } | null | undefined;

/** A mail server that does what real ones do on bad days. */
export interface ScriptedSmtp {
  readonly port: number;
  /** Every command so far, without arguments. */
  readonly said: readonly string[];
  /** Recipients of messages that ended, each as often as that was. */
  readonly recipients: readonly string[];
  /** Connections that are open. */
  connections(): number;
  close(): void;
}

const usual: Readonly<Record<string, string>> = {
  GREETING: "220 here",
  EHLO: "250 here",
  DATA: "354 go on",
  QUIT: "221 bye",
};

export function openScriptedSmtp(script: SmtpScript): ScriptedSmtp {
  const [said, recipients]: [string[], string[]] = [[], []];
  const states = new Map<Socket, { rest: string; isData: boolean; to: string; readonly number: number }>();
  let count = 0;
  const answer = (socket: Socket, command: string) => {
    const number = states.get(socket)?.number ?? 0;
    said.push(command);
    const scripted = script(command, number);
    const reply = scripted === undefined ? (usual[command] ?? "250 fine") : scripted;
    if (reply === null) return;
    if (typeof reply === "string") socket.write(`${reply}\r\n`);
    else socket.end(`${reply.last}\r\n`);
  };
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        states.set(socket, { rest: "", isData: false, to: "", number: (count += 1) });
        answer(socket, "GREETING");
      },
      data(socket, bytes) {
        const state = states.get(socket);
        if (state === undefined) return;
        const lines = (state.rest + bytes.toString()).split("\r\n");
        state.rest = lines.pop() ?? "";
        for (const line of lines) {
          if (state.isData && line !== ".") continue;
          const [command = ""] = line.toUpperCase().split(/[ :]/, 1);
          if (command === "RCPT") state.to = /<(.*?)>/.exec(line)?.[1] ?? "";
          if (line === ".") recipients.push(state.to);
          state.isData = command === "DATA";
          answer(socket, command);
        }
      },
      close: (socket) => void states.delete(socket),
      error() {},
    },
  });
  return {
    port: server.port,
    said,
    recipients,
    connections: () => states.size,
    close: () => server.stop(true),
  };
}
