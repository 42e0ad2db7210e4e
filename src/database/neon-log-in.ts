import { createHash, createHmac, pbkdf2 } from "node:crypto";
import { promisify } from "node:util";
import { Client } from "@neondatabase/serverless";

/** What the driver keeps of an exchange, which its declarations do not have. */
interface LoggingIn {
  readonly password: unknown;
  readonly saslSession: {
    readonly clientNonce: string;
    message: string;
    response: string;
    serverSignature: string;
  };
  readonly connection: {
    sendSCRAMClientFinalMessage(message: string): void;
    emit(name: "error", error: unknown): void;
  };
}

interface ServerFirst {
  /** The client's, continued by the server's. */
  readonly nonce: string;
  readonly salt: Buffer;
  readonly iterations: number;
}

/**
 * Neon's client, whose SCRAM-SHA-256 (RFC 5802) takes one turn in the thread pool. The driver's own takes one for each of
 * 4,096 iterations, and so waits 4,096 times wherever passwords are being hashed: until the hashes are over.
 */
export class NeonClient extends Client {
  /** The driver waits for it nowhere: what fails is the connection's. */
  override async _handleAuthSASLContinue(message: { readonly data: string }): Promise<void> {
    const loggingIn = this as unknown as LoggingIn;
    try {
      await prove(loggingIn, message.data);
    } catch (error) {
      loggingIn.connection.emit("error", error);
    }
  }
}

const derive = promisify(pbkdf2);

/** @throws Error at what is no first message of a server. */
async function prove({ password, saslSession, connection }: LoggingIn, first: string): Promise<void> {
  if (saslSession.message !== "SASLInitialResponse" || typeof password !== "string")
    throw new Error("SASL: protocol error");
  const { nonce, salt, iterations } = readServerFirst(first, saslSession.clientNonce);
  const salted = await derive(password, salt, iterations, 32, "sha256");
  const withoutProof = `c=biws,r=${nonce}`;
  const signed = `n=*,r=${saslSession.clientNonce},${first},${withoutProof}`;
  const clientKey = hmac(salted, "Client Key");
  const signature = hmac(createHash("sha256").update(clientKey).digest(), signed);
  const proof = clientKey.map((byte, at) => byte ^ (signature[at] ?? 0));
  saslSession.message = "SASLResponse";
  saslSession.serverSignature = hmac(hmac(salted, "Server Key"), signed).toString("base64");
  saslSession.response = `${withoutProof},p=${Buffer.from(proof).toString("base64")}`;
  connection.sendSCRAMClientFinalMessage(saslSession.response);
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function readServerFirst(text: string, clientNonce: string): ServerFirst {
  const [, nonce = "", salt = "", iterations = ""] =
    /^r=([!-+\--~]+),s=([A-Za-z0-9+/]+={0,2}),i=([1-9][0-9]{0,8})(?:,|$)/.exec(text) ?? [];
  if (!nonce.startsWith(clientNonce) || nonce.length === clientNonce.length)
    throw new Error("SASL: no SCRAM-SERVER-FIRST-MESSAGE, or one for another nonce");
  return { nonce, salt: Buffer.from(salt, "base64"), iterations: Number(iterations) };
}
