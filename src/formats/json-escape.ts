/** Code of each one-letter escape, by its letter; 0 for none. */
const LETTERS = new Uint8Array(256);
for (const [letter, code] of ['""', "\\\\", "//", "b\b", "f\f", "n\n", "r\r", "t\t"] as const) {
  LETTERS[letter!.charCodeAt(0)] = code!.charCodeAt(0);
}

const BACKSLASH = 0x5c;
const LETTER_U = 0x75;

/**
 * Decodes the escape whose backslash is `bytes[at]`, both halves of a surrogate
 * pair together. Returns its code point times 16 plus its length in bytes; where
 * it is none, -1 minus the offset of the byte that is wrong, which is `end` where
 * the input ends. A surrogate without its other half is returned as it is.
 */
export function decodeEscape(bytes: Uint8Array, at: number, end: number): number {
  if (at + 1 >= end) return -1 - end;
  const code = LETTERS[bytes[at + 1]!]!;
  if (code !== 0) return code * 16 + 2;
  if (bytes[at + 1] !== LETTER_U) return -1 - (at + 1);
  const high = hexDigits(bytes, at + 2, end);
  const mayBePair = high >= 0xd800 && high <= 0xdbff && at + 7 < end;
  if (!mayBePair || bytes[at + 6] !== BACKSLASH || bytes[at + 7] !== LETTER_U) return high < 0 ? high : high * 16 + 6;
  const low = hexDigits(bytes, at + 8, end);
  if (low < 0) return low;
  if (low < 0xdc00 || low > 0xdfff) return high * 16 + 6;
  return (0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)) * 16 + 12;
}

/** Writes `code` as UTF-8 at `at`, a surrogate as U+FFFD; returns the offset after it. */
export function writeUtf8(code: number, out: Uint8Array, at: number): number {
  if (code < 0x80) {
    out[at] = code;
    return at + 1;
  }
  const scalar = isSurrogate(code) ? 0xfffd : code;
  const more = scalar < 0x800 ? 1 : scalar < 0x10000 ? 2 : 3;
  // 0xff00 >> (more + 1) has the top more + 1 bits of its low byte set.
  out[at] = ((0xff00 >> (more + 1)) | (scalar >> (6 * more))) & 0xff;
  for (let i = 1; i <= more; i++) out[at + i] = 0x80 | ((scalar >> (6 * (more - i))) & 63);
  return at + more + 1;
}

export const isSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdfff;

/** Value of the 4 hex digits at `at`, or -1 minus the offset of the byte that is none. */
function hexDigits(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let i = at; i < at + 4; i++) {
    const digit = i < end ? Number.parseInt(String.fromCharCode(bytes[i]!), 16) : Number.NaN;
    if (Number.isNaN(digit)) return -1 - i;
    value = value * 16 + digit;
  }
  return value;
}
