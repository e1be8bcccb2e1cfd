import { createHash } from "node:crypto";

/** 64 bits of a cryptographic hash: among a billion contents the chance that two share one is 3 %, among a million 3e-8. */
export function contentHash(text: string): bigint {
  return createHash("sha1").update(text).digest().readBigUInt64LE(0);
}
