/** Deeper keys than this do not tell one kind of file from another. */
const MAX_LEVEL = 4;

/** The outline of the first JSON value of a text that may be cut anywhere. */
export interface JsonShape {
  /**
   * Keys of objects at most 4 levels deep, behind the path of containers that lead
   * to them: "o:data" is a key of the outermost object, "oao:spans" one of an object
   * in an array in it.
   */
  readonly keys: ReadonlySet<string>;
  readonly top: "object" | "array";
  /** Position behind the value's closing bracket, -1 where the text ends before it. */
  readonly end: number;
  /** Whether a line ends inside the value: then it cannot be one of JSON lines. */
  readonly broken: boolean;
}

/** Shape of the object or array at `start`; undefined where none stands there. Does not check the grammar. */
export function jsonShape(bytes: Uint8Array, start: number): JsonShape | undefined {
  const first = bytes[start];
  if (first !== 0x7b && first !== 0x5b) return undefined;
  const keys = new Set<string>();
  let path = "";
  // Levels below MAX_LEVEL are only counted.
  let level = 0;
  let broken = false;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === 0x22) {
      const from = at + 1;
      at = stringEnd(bytes, from);
      if (level <= MAX_LEVEL && path.endsWith("o") && isKey(bytes, at + 1))
        keys.add(`${path}:${ascii(bytes, from, at)}`);
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++level <= MAX_LEVEL) path += byte === 0x7b ? "o" : "a";
    } else if (byte === 0x7d || byte === 0x5d) {
      if (level-- <= MAX_LEVEL) path = path.slice(0, -1);
      if (level === 0) return { keys, top: first === 0x7b ? "object" : "array", end: at + 1, broken };
    } else if (byte === 0x0a) {
      broken = true;
    }
  }
  return { keys, top: first === 0x7b ? "object" : "array", end: -1, broken };
}

/** Position of the closing quote of the string whose text starts at `at`, or the end. */
function stringEnd(bytes: Uint8Array, at: number): number {
  while (at < bytes.length && bytes[at] !== 0x22) at += bytes[at] === 0x5c ? 2 : 1;
  return Math.min(at, bytes.length);
}

function isKey(bytes: Uint8Array, at: number): boolean {
  while (isSpace(bytes[at]!)) at++;
  return bytes[at] === 0x3a;
}

export function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Keys of more than 40 bytes are nothing that is looked for. */
function ascii(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, Math.min(end, start + 40)));
}
