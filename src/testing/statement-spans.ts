import { AttributeType } from "../model/attribute-table.ts";
import { SpanTableBuilder } from "../model/span-table-builder.ts";
import { SpanKind, type SpanTable } from "../model/span-table.ts";
import { unixNs } from "../model/units.ts";

/** As in `metricTableOf`. */
const BASE_UNIX_NS = 1_790_000_000_000_000_000n;

export interface StatementSpans {
  readonly requests: number;
  readonly statement: string;
  /** how long the statement takes in a request that begins at a second */
  readonly takesMs: (second: number) => number;
  /** how long the look-up of an account takes; 1 if absent */
  readonly othersMs?: number;
}

/**
 * Ten requests a second to `GET /records` of the service `zones`; each runs the statement on the database `zones_db` as
 * "SELECT records", and looks up an account.
 */
export function statementSpans({ requests, statement, takesMs, othersMs = 1 }: StatementSpans): SpanTable {
  const builder = new SpanTableBuilder();
  const { strings, resources, attributes } = builder;
  resources.add(strings.intern("service.name"), AttributeType.string, strings.intern("zones"));
  const resource = resources.closeList();
  const starts: number[] = [];
  const ends: number[] = [];
  let row = 0;
  const span = (trace: number, id: number, parent: number, name: string, startMs: number, endMs: number): void => {
    builder.begin(resource, 0);
    builder.traceId[4 * row + 3] = trace;
    builder.spanId[2 * row + 1] = id;
    if (parent !== 0) builder.parentSpanId[2 * row + 1] = parent;
    builder.kind[row] = parent === 0 ? SpanKind.server : SpanKind.client;
    builder.name[row] = strings.intern(name);
    if (parent !== 0) {
      const add = (key: string, value: string): void =>
        attributes.add(strings.intern(key), AttributeType.string, strings.intern(value));
      add("db.system.name", "postgresql");
      add("db.namespace", "zones_db");
      add("db.query.text", name === "SELECT records" ? statement : "SELECT name FROM accounts WHERE id = $1");
    }
    builder.commit();
    starts.push(startMs * 1e6);
    ends.push(endMs * 1e6);
    row++;
  };
  for (let i = 0; i < requests; i++) {
    const startMs = 100 * i;
    // a spread of some 10 %, the same for every tenth
    const ms = takesMs(startMs / 1000) * (0.95 + 0.01 * (i % 10));
    span(i + 1, 3 * i + 1, 0, "GET /records", startMs, startMs + ms + othersMs + 2);
    span(i + 1, 3 * i + 2, 3 * i + 1, "SELECT records", startMs + 1, startMs + 1 + ms);
    span(i + 1, 3 * i + 3, 3 * i + 1, "SELECT accounts", startMs + 1 + ms, startMs + 1 + ms + othersMs);
  }
  const startOffsetNs = Float64Array.from(starts);
  const endOffsetNs = Float64Array.from(ends);
  return { ...builder.finish().table, baseUnixNs: unixNs(BASE_UNIX_NS), startOffsetNs, endOffsetNs };
}
