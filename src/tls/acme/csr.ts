import { type KeyObject, createPublicKey, sign } from "node:crypto";

/** Tags of DER (X.690), as far as a request for one name has them. */
const [integer, bitString, octetString, objectIdentifier, sequence, set] = [2, 3, 4, 6, 0x30, 0x31] as const;
const [attributes, dnsName] = [0xa0, 0x82] as const;

const extensionRequest = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];
const subjectAlternativeName = [0x55, 0x1d, 0x11];
const ecdsaWithSha256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

/**
 * Builds a request for a certificate for one DNS name (RFC 2986), without a subject: names stand in the extension alone.
 * @param key of P-256. @returns DER.
 */
export function createCertificateRequest(host: string, key: KeyObject): Buffer {
  const names = der(sequence, der(dnsName, Buffer.from(host, "ascii")));
  const extension = der(
    sequence,
    der(objectIdentifier, Buffer.from(subjectAlternativeName)),
    der(octetString, names),
  );
  const requested = der(
    sequence,
    der(objectIdentifier, Buffer.from(extensionRequest)),
    der(set, der(sequence, extension)),
  );
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });
  const unsigned = der(
    sequence,
    der(integer, Buffer.from([0])),
    der(sequence),
    publicKey,
    der(attributes, requested),
  );
  const algorithm = der(sequence, der(objectIdentifier, Buffer.from(ecdsaWithSha256)));
  const signature = sign("sha256", unsigned, key);
  return der(sequence, unsigned, algorithm, der(bitString, Buffer.from([0]), signature));
}

function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const written =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...written]), content]);
}
