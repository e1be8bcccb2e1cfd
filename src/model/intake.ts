/**
 * Bad input, told in a way that can be acted on: which file, at which byte
 * (after decompression), what was expected and what was found.
 */
export class InputError extends Error {
  override readonly name: string = "InputError";
  readonly code: InputErrorCode;
  readonly file: string;
  /** byte offset in the decompressed content; -1 where there is none (file missing) */
  readonly byteOffset: number;
  readonly expected: string;
  readonly found: string;

  constructor(code: InputErrorCode, at: { file: string; byteOffset: number; expected: string; found: string }) {
    const where = at.byteOffset >= 0 ? ` at byte ${at.byteOffset}` : "";
    super(`${at.file}${where}: expected ${at.expected}, found ${at.found}`);
    this.code = code;
    this.file = at.file;
    this.byteOffset = at.byteOffset;
    this.expected = at.expected;
    this.found = at.found;
  }
}

export type InputErrorCode =
  /** the file cannot be opened or read */
  | "unreadable"
  | "empty"
  /** none of the known kinds */
  | "unknown-kind"
  /** a known kind, but this version or signal cannot be analysed here */
  | "unsupported"
  /** ends in the middle of a value */
  | "truncated"
  /** a value contradicts its format */
  | "malformed"
  /** beyond a limit of size or nesting */
  | "too-large";

/** Why a single span of an otherwise readable file was not taken. */
export type RejectReason =
  | "trace-id-invalid"
  | "span-id-invalid"
  | "time-missing"
  | "time-out-of-range"
  | "span-malformed";

/** Why a single point of a metric was not taken. */
export type PointRejectReason = "time-missing" | "time-out-of-range" | "value-missing" | "point-malformed";

/** Counts of metric points; received = accepted + the sum of rejected, always. */
export class PointIntake {
  received = 0;
  accepted = 0;
  readonly rejected: Map<PointRejectReason, { points: number; example: string }> = new Map();

  accept(): void {
    this.received++;
    this.accepted++;
  }

  /** `example` says where: file, byte and what was found; only the first of a reason is kept. */
  reject(reason: PointRejectReason, example: string): void {
    this.received++;
    const held = this.rejected.get(reason);
    if (held === undefined) this.rejected.set(reason, { points: 1, example });
    else held.points++;
  }
}

/** Counts of what came in; of spans, received = accepted + the sum of rejected, always. */
export class Intake {
  received = 0;
  accepted = 0;
  /** invalid UTF-8 strings, read with replacement characters */
  invalidUtf8 = 0;
  /** attributes cut at the length limit */
  truncatedValues = 0;
  readonly rejected: Map<RejectReason, { spans: number; example: string }> = new Map();
  readonly points: PointIntake = new PointIntake();
  readonly errors: InputError[] = [];
  bytesRead = 0;

  accept(): void {
    this.received++;
    this.accepted++;
  }

  /** `example` says where: file, byte and what was found; only the first of a reason is kept. */
  reject(reason: RejectReason, example: string): void {
    this.received++;
    const held = this.rejected.get(reason);
    if (held === undefined) this.rejected.set(reason, { spans: 1, example });
    else held.spans++;
  }
}
