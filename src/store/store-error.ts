/** Why the store could not do what it was asked; what a caller can act on. */
export type StoreErrorCode =
  /** the optional packages of the embedded engine are not there, or not for this platform */
  | "not-installed"
  /** the engine's undocumented entry does not do what it did */
  | "engine-broken"
  /** another process uses the data folder */
  | "locked"
  /** nobody answers, or a node of the cluster does not */
  | "unreachable"
  /** took longer than it may */
  | "timeout"
  /** beyond a limit of memory or rows */
  | "too-large"
  | "disk-full"
  /** user, password or grants */
  | "denied"
  /** the tables are of a newer version than this program */
  | "newer-schema"
  /** a regular expression of the question that RE2 does not take */
  | "bad-pattern"
  /** what was read is not what was written */
  | "malformed"
  /** the engine refuses; `message` has its words */
  | "refused";

/** CANNOT_PARSE_*, CANNOT_READ_ALL_DATA, TYPE_MISMATCH, INCORRECT_DATA, ARGUMENT_OUT_OF_BOUND: src/Common/ErrorCodes.cpp. */
const BAD_DATA: ReadonlySet<number> = new Set([6, 27, 33, 53, 69, 117]);

/** A failure of the store. Messages state facts; what to do about them is said by those who show them. */
export class StoreError extends Error {
  override readonly name: string = "StoreError";
  readonly code: StoreErrorCode;
  /** ClickHouse's number of the error, 0 where it is not of the engine */
  readonly engineCode: number;

  constructor(code: StoreErrorCode, message: string, options: { engineCode?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.engineCode = options.engineCode ?? 0;
  }

  /** Whether the same data will never be taken: it is no use to try again. */
  get permanent(): boolean {
    return BAD_DATA.has(this.engineCode);
  }
}
