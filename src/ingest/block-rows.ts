import type { Decoded, Reading } from "./body.ts";
import type { Reasons } from "./ledger.ts";
import type { Sink } from "./sink.ts";

/** What became of the rows of a block that the sink took. */
export interface Inserted {
  readonly stored: number;
  readonly dropped: Reasons;
}

/**
 * Rows of an open block: requests are decoded straight into its columns, and taken back from its end.
 * The same requests in the same order make the same rows.
 */
export interface BlockRows<Mark = unknown> {
  /** items that count as accepted */
  readonly rowCount: number;
  /** All of a request or nothing: throws InputError, with the rows as before, where the bytes cannot be read. */
  decode(reading: Reading, bytes: Uint8Array): Decoded;
  mark(): Mark;
  rewind(mark: Mark): void;
  insertInto(sink: Sink, token: string): Promise<Inserted>;
  /** Forgets all rows for another block, which then needs no new memory; false where too much would be held. */
  reuse(): boolean;
}
