import { SPAN_COLUMNS } from "../native/span-block.ts";
import { inRange } from "./time-range.ts";

/**
 * Whole spans. The order is that of the table where it has one, then whatever tells two spans apart, so that the same
 * spans come in the same order each time, in one query or in many over parts of the hashes.
 */
const selectSpans = (where: string): string => `SELECT ${SPAN_COLUMNS.join(", ")}
FROM spans
WHERE ${where}
ORDER BY cityHash64(trace_id), trace_id, start, span_id, kind, duration, name, shape, labels, texts, numbers`;

/** Spans that start in the range, of traces whose hash is in [lowest, highest]. */
export const READ_SPANS: string = selectSpans(
  `${inRange("start")} AND cityHash64(trace_id) BETWEEN {lowest:UInt64} AND {highest:UInt64}`,
);

/** All spans of a trace, by its id in hex. */
export const READ_TRACE: string = selectSpans(
  `trace_id = toFixedString(unhex({id:String}), 16) AND cityHash64(trace_id) = cityHash64(toFixedString(unhex({id:String}), 16))`,
);

export interface CountRow {
  readonly spans: string;
}

export const COUNT_SPANS: string = `SELECT count() AS spans FROM spans
WHERE ${inRange("start")} AND cityHash64(trace_id) <= {highest:UInt64}`;
