import type { Intake } from "../model/intake.ts";
import type { BlockRows, Inserted } from "./block-rows.ts";
import type { Decoded, Reading } from "./body.ts";
import type { Reasons } from "./ledger.ts";
import { clear, nsWords, TOO_OLD } from "./request-intake.ts";
import type { Sink } from "./sink.ts";

/** What fills the table of a signal: SpanTableBuilder and MetricTableBuilder. */
interface TableBuilder<Table, Mark> {
  /** rows so far */
  readonly open: number;
  /** texts, and what else is kept once and stays after a rewind */
  readonly dictionarySize: number;
  mark(): Mark;
  rewind(mark: Mark): void;
  /** rows from `row` on of a time before this, in two words */
  countBefore(row: number, high: number, low: number): number;
  finish(): { readonly table: Table; readonly outOfRange: number };
}

/** In what the signals that are kept as tables differ. */
export interface TableSignal<Table, Mark> {
  readonly builder: TableBuilder<Table, Mark>;
  readonly intake: Intake;
  /** Decodes a request into the builder and counts its items in `intake`. */
  read(reading: Reading, bytes: Uint8Array): Pick<Decoded, "written">;
  /** What `intake` says of the request. */
  counted(intake: Intake): { readonly accepted: number; readonly rejected: Reasons; readonly example: string };
  rowsOf(table: Table): number;
  insert(sink: Sink, table: Table, token: string): Promise<void>;
  /** what an item of a time too early is called */
  readonly early: string;
}

interface RowsMark<Mark> {
  readonly builder: Mark;
  readonly expired: number;
}

/**
 * Texts and series of the blocks before are known to the next: they come again and again. Beyond so many it begins
 * with none, or those that come once would be held without end. 200,000 of 100 bytes are 20 MB.
 */
const KEPT_ENTRIES = 200_000;

/** Rows of an open block that becomes a table. */
export class TableRows<Table, Mark> implements BlockRows<RowsMark<Mark>> {
  private readonly signal: TableSignal<Table, Mark>;
  private readonly empty: Mark;
  /** Items that count as rejected: they stay in the table, and the store drops them. */
  private expired = 0;

  constructor(signal: TableSignal<Table, Mark>) {
    this.signal = signal;
    this.empty = signal.builder.mark();
  }

  get rowCount(): number {
    return this.signal.builder.open - this.expired;
  }

  mark(): RowsMark<Mark> {
    return { builder: this.signal.builder.mark(), expired: this.expired };
  }

  rewind(mark: RowsMark<Mark>): void {
    this.signal.builder.rewind(mark.builder);
    this.expired = mark.expired;
  }

  reuse(): boolean {
    const { builder } = this.signal;
    if (builder.dictionarySize > KEPT_ENTRIES) return false;
    this.rewind({ builder: this.empty, expired: 0 });
    return true;
  }

  decode(reading: Reading, bytes: Uint8Array): Decoded {
    const { signal } = this;
    const { builder, intake } = signal;
    const { oldestMs } = reading;
    const mark = this.mark();
    const first = builder.open;
    clear(intake);
    let written: Pick<Decoded, "written">;
    try {
      written = signal.read(reading, bytes);
    } catch (error) {
      this.rewind(mark);
      throw error;
    }
    const counted = signal.counted(intake);
    const { high, low } = nsWords(oldestMs ?? 0);
    const old = oldestMs === undefined ? 0 : builder.countBefore(first, high, low);
    if (old === 0) return { ...counted, ...written };
    this.expired += old;
    const accepted = counted.accepted - old;
    if (accepted === 0) this.rewind(mark);
    const why = `${signal.early} before ${new Date(oldestMs!).toISOString()}, which is not kept`;
    const rejected = { ...counted.rejected, [TOO_OLD]: old };
    return { accepted, rejected, example: counted.example || why, ...written };
  }

  async insertInto(sink: Sink, token: string): Promise<Inserted> {
    const { signal } = this;
    const { table, outOfRange } = signal.builder.finish();
    const rows = signal.rowsOf(table);
    if (rows > 0) await signal.insert(sink, table, token);
    return { stored: rows - this.expired, dropped: outOfRange > 0 ? { "time-out-of-range": outOfRange } : {} };
  }
}
