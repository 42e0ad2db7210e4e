import { Writable } from "node:stream";
import pretty from "pino-pretty";
import type { LogWriter } from "./log-writer.ts";

/** Lines for people, in place of JSON. A stream, not a transport: transports load files that the executable does not have. */
export function prettyStream(writer: LogWriter, colorize: boolean) {
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      writer.write(chunk.toString());
      done();
    },
  });
  return pretty({ destination, colorize });
}
