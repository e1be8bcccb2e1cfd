import { SpanKind, SpanStatus, type SpanTable } from "../model/span-table.ts";
import { AttributeType } from "../model/attribute-table.ts";
import { SpanTableBuilder } from "../model/span-table-builder.ts";
import { unixNs } from "../model/units.ts";

export interface SpanRow {
  /** any positive integers */
  readonly trace: number;
  readonly id: number;
  /** 0 for none */
  readonly parent: number;
  readonly startNs: number;
  readonly endNs: number;
  readonly kind?: number;
  readonly service?: string;
  readonly host?: string;
  readonly name?: string;
  readonly isError?: boolean;
  readonly attributes?: Readonly<Record<string, string | number>>;
  /** the span that a link of this one names */
  readonly link?: { readonly trace: number; readonly id: number };
}

/** A SpanTable of generated spans, row i being `rows[i]`; offsets are the given times. For property tests and benchmarks. */
export function spansFromRows(rows: readonly SpanRow[]): SpanTable {
  const builder = new SpanTableBuilder();
  const { strings, resources } = builder;
  const serviceKey = strings.intern("service.name");
  const hostKey = strings.intern("host.name");
  const known = new Map<string, number>();
  const startOffsetNs = new Float64Array(rows.length);
  const endOffsetNs = new Float64Array(rows.length);
  rows.forEach((span, row) => {
    const service = span.service ?? "service";
    const host = span.host ?? "";
    let resource = known.get(`${service}\n${host}`);
    if (resource === undefined) {
      resources.add(serviceKey, AttributeType.string, strings.intern(service));
      if (host !== "") resources.add(hostKey, AttributeType.string, strings.intern(host));
      resource = resources.closeList();
      known.set(`${service}\n${host}`, resource);
    }
    builder.begin(resource, 0);
    builder.traceId[4 * row + 3] = span.trace;
    // Spread over both words, as random ids are.
    builder.spanId[2 * row] = Math.imul(span.id, 0x9e3779b1);
    builder.spanId[2 * row + 1] = span.id;
    if (span.parent !== 0) {
      builder.parentSpanId[2 * row] = Math.imul(span.parent, 0x9e3779b1);
      builder.parentSpanId[2 * row + 1] = span.parent;
    }
    builder.kind[row] = span.kind ?? SpanKind.internal;
    if (span.isError === true) builder.status[row] = SpanStatus.error;
    for (const [key, value] of Object.entries(span.attributes ?? {})) {
      if (typeof value === "number") builder.attributes.add(strings.intern(key), AttributeType.number, value);
      else builder.attributes.add(strings.intern(key), AttributeType.string, strings.intern(value));
    }
    if (span.link !== undefined) {
      const { trace, id } = span.link;
      builder.addLink(Uint32Array.of(0, 0, 0, trace, Math.imul(id, 0x9e3779b1), id));
    }
    builder.name[row] = strings.intern(span.name ?? `op${span.id % 16}`);
    startOffsetNs[row] = span.startNs;
    endOffsetNs[row] = span.endNs;
    builder.commit();
  });
  return { ...builder.finish().table, baseUnixNs: unixNs(1_790_000_000_000_000_000n), startOffsetNs, endOffsetNs };
}
