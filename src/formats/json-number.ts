/** Outcome of `Decimal64.parse`. */
export const DecimalOutcome = { ok: 0, notANumber: 1, outOfRange: 2 } as const;
export type DecimalOutcome = (typeof DecimalOutcome)[keyof typeof DecimalOutcome];

const TWO_32 = 2 ** 32;

/** Longer texts are not taken for numbers: the exact decimal expansion of a double has at most 1,075 digits. */
const MAX_NUMBER_BYTES = 4096;

/**
 * A decimal number as sign and 64-bit magnitude in two words. Nanoseconds since
 * 1970 need 61 bits: read as a double they would be off by up to 128 ns.
 */
export class Decimal64 {
  high = 0;
  low = 0;
  /** never set together with a magnitude of 0 */
  negative = false;

  /**
   * Reads the decimal text `bytes[start, end)` times 10^shift, toward zero where a
   * fraction of one is left. Exponents and fractions are read exactly.
   * shift is 0 to 8; magnitudes of 2^64 and more are outOfRange.
   */
  parse(bytes: Uint8Array, start: number, end: number, shift: number): DecimalOutcome {
    const digits = end - start;
    if (digits < 1) return DecimalOutcome.notANumber;
    // 20 digits hold 2^64; plain integers, which times are but for hand-made files.
    if (digits + shift > 20) return this.parseGeneral(bytes, start, end, shift);
    const split = Math.max(start, end - (9 - shift));
    let upper = 0;
    let lower = 0;
    for (let i = start; i < split; i++) {
      const digit = bytes[i]! - 48;
      if (digit < 0 || digit > 9) return this.parseGeneral(bytes, start, end, shift);
      upper = upper * 10 + digit;
    }
    for (let i = split; i < end; i++) {
      const digit = bytes[i]! - 48;
      if (digit < 0 || digit > 9) return this.parseGeneral(bytes, start, end, shift);
      lower = lower * 10 + digit;
    }
    for (let i = 0; i < shift; i++) lower *= 10;
    this.negative = false;
    return this.setSum(upper, lower);
  }

  copy(other: Decimal64): void {
    this.high = other.high;
    this.low = other.low;
    this.negative = other.negative;
  }

  /**
   * Sets upper * 10^9 + lower, for upper < 10^11 and lower < 10^9.
   * With upper = a * 2^16 + b: a * 10^9 < 2^51 and b * 10^9 + lower < 2^47 are
   * exact in doubles, and so is each step that moves them 16 bits apart.
   */
  private setSum(upper: number, lower: number): DecimalOutcome {
    const a = Math.floor(upper / 65536);
    const b = upper - a * 65536;
    const left = a * 1e9;
    const leftHigh = Math.floor(left / 65536);
    const right = (left - leftHigh * 65536) * 65536 + b * 1e9 + lower;
    const carry = Math.floor(right / TWO_32);
    const high = leftHigh + carry;
    if (high >= TWO_32) return DecimalOutcome.outOfRange;
    this.high = high;
    this.low = right - carry * TWO_32;
    return DecimalOutcome.ok;
  }

  /** Signs, fractions, exponents, leading zeros: rare, so text and BigInt are good enough. */
  private parseGeneral(bytes: Uint8Array, start: number, end: number, shift: number): DecimalOutcome {
    if (end - start > MAX_NUMBER_BYTES) return DecimalOutcome.notANumber;
    const text = asciiText(bytes, start, end);
    const match = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text);
    if (match === null) return DecimalOutcome.notANumber;
    const [, sign, whole = "", fraction = "", exponent = "0"] = match;
    const digits = whole + fraction;
    const zeros = /^0*/.exec(digits)![0].length;
    const point = whole.length + Number(exponent) + shift;
    this.high = this.low = 0;
    this.negative = false;
    if (zeros === digits.length || point <= zeros) return DecimalOutcome.ok;
    if (point - zeros > 20) return DecimalOutcome.outOfRange;
    const magnitude = BigInt(digits.slice(zeros, point).padEnd(point - zeros, "0"));
    if (magnitude >= 1n << 64n) return DecimalOutcome.outOfRange;
    this.high = Number(magnitude >> 32n);
    this.low = Number(magnitude & 0xffffffffn);
    this.negative = sign === "-";
    return DecimalOutcome.ok;
  }
}

/** Powers of ten that doubles hold exactly. */
const POWERS_OF_TEN = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

/**
 * The double nearest to the JSON number or `NaN`, `Infinity`, `-Infinity` in
 * `bytes[start, end)`; undefined when it is neither.
 */
export function parseDouble(bytes: Uint8Array, start: number, end: number): number | undefined {
  // Up to 15 digits and a power of ten up to 10^22 are exact doubles, so one division rounds once (Clinger 1990).
  const negative = bytes[start] === 45;
  let value = 0;
  let digits = 0;
  let point = -1;
  for (let i = negative ? start + 1 : start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte >= 48 && byte <= 57 && digits < 15) {
      value = value * 10 + (byte - 48);
      digits++;
    } else if (byte === 46 && point < 0 && digits > 0 && i + 1 < end) {
      point = i;
    } else {
      return end - start > MAX_NUMBER_BYTES ? undefined : parseGeneralDouble(asciiText(bytes, start, end));
    }
  }
  if (digits === 0) return undefined;
  if (point >= 0) value /= POWERS_OF_TEN[end - point - 1]!;
  return negative ? -value : value;
}

function parseGeneralDouble(text: string): number | undefined {
  if (text === "NaN" || text === "Infinity" || text === "-Infinity") return Number(text);
  return /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;
}

/** ASCII text of a few bytes; other bytes read as Latin-1, which no number contains. */
export function asciiText(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}
