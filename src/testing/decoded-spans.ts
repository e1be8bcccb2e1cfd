import { expect } from "vitest";
import { InputError, Intake } from "../model/intake.ts";
import { SpanTableBuilder } from "../model/span-table-builder.ts";
import { assertSpanTable } from "../model/span-table.ts";
import { spanObjects, type SpanObject } from "./span-objects.ts";

export interface DecodedSpans {
  /** empty where times reach beyond what a table holds */
  spans: SpanObject[];
  intake: Intake;
  /** that ended it; what came before it stays */
  error: InputError | undefined;
}

/** What a decoder makes of some bytes; any error but an InputError is thrown. The invariants of every outcome are checked here. */
export function decodedSpans(decode: (into: SpanTableBuilder, intake: Intake) => void): DecodedSpans {
  const into = new SpanTableBuilder();
  const intake = new Intake();
  let error: InputError | undefined;
  try {
    decode(into, intake);
  } catch (thrown) {
    if (!(thrown instanceof InputError)) throw thrown;
    error = thrown;
  }
  let rejected = 0;
  for (const { spans } of intake.rejected.values()) rejected += spans;
  expect(intake.accepted + rejected).toBe(intake.received);
  expect(into.open).toBe(intake.accepted);
  const { table, outOfRange } = into.finish();
  assertSpanTable(table);
  return { spans: outOfRange === 0 ? spanObjects(table) : [], intake, error };
}
