import { AttributeType } from "../../model/attribute-table.ts";
import type { SpanKind, SpanStatus, SpanTable } from "../../model/span-table.ts";
import { SpanTableBuilder } from "../../model/span-table-builder.ts";
import { NS_PER_MS, unixNs, type UnixNs } from "../../model/units.ts";
import { Draws, nameKey } from "./random.ts";

/** A span that has started; its ids are drawn at the start, since children need them. */
export interface OpenSpan {
  readonly trace: TraceIdentity;
  readonly high: number;
  readonly low: number;
  readonly parent: OpenSpan | null;
  readonly startMs: number;
}

export interface TraceIdentity {
  readonly words: readonly [number, number, number, number];
  readonly sampled: boolean;
}

/** Attributes that are the same for all spans of a call site: key, type, value, repeated. */
export type AttributeTemplate = readonly number[];

/** Where spans come from: a resource, and the clock of its host. */
export interface Origin {
  readonly resource: number;
  readonly scope: number;
  readonly clockOffsetMs: number;
}

const TWO_32 = 2 ** 32;
/** An arbitrary Monday morning; nothing depends on it. */
const BASE_UNIX_NS = 1_767_600_000_000_000_000n;

/**
 * Writes spans into a SpanTable as they end, which is the order in which
 * exporters send them: children before their parents.
 */
export class SpanWriter {
  opened = 0;
  written = 0;
  unsampled = 0;
  /** when the window starts */
  readonly baseUnixNs: UnixNs;
  private readonly builder = new SpanTableBuilder();
  private readonly ids: Draws;
  private readonly traceState: number;
  private readonly baseLow: number;
  private readonly baseHigh: number;

  /** `startMs`: when the window starts, after an arbitrary common base. */
  constructor(seed: number, sampling: number, startMs: number) {
    this.ids = new Draws(seed, nameKey("ids"));
    const base = BASE_UNIX_NS + BigInt(Math.round(startMs)) * 1_000_000n;
    this.baseUnixNs = unixNs(base);
    this.baseHigh = Number(base >> 32n);
    this.baseLow = Number(base & 0xffff_ffffn);
    this.traceState = sampling < 1 ? this.builder.strings.intern(`ot=th:${samplingThreshold(sampling)}`) : 0;
  }

  text(value: string): number {
    return this.builder.strings.intern(value);
  }

  origin(attributes: Record<string, string>, scope: string, clockOffsetMs: number): Origin {
    for (const key in attributes)
      this.builder.resources.add(this.text(key), AttributeType.string, this.text(attributes[key]!));
    return { resource: this.builder.resources.closeList(), scope: this.text(scope), clockOffsetMs };
  }

  template(attributes: Record<string, string | number>): AttributeTemplate {
    return Object.entries(attributes).flatMap(([key, value]) =>
      typeof value === "number"
        ? [this.text(key), AttributeType.number, value]
        : [this.text(key), AttributeType.string, this.text(value)],
    );
  }

  newTrace(sampled: boolean): TraceIdentity {
    const ids = this.ids;
    return { words: [ids.next32(), ids.next32(), ids.next32(), ids.next32()], sampled };
  }

  start(trace: TraceIdentity, parent: OpenSpan | null, startMs: number): OpenSpan {
    this.opened++;
    return { trace, high: this.ids.next32(), low: this.ids.next32() | 1, parent, startMs };
  }

  /** Adds an attribute to the span whose `end` comes next. */
  number(key: number, value: number): void {
    this.builder.attributes.add(key, AttributeType.number, value);
  }

  string(key: number, value: number): void {
    this.builder.attributes.add(key, AttributeType.string, value);
  }

  end(
    span: OpenSpan,
    origin: Origin,
    kind: SpanKind,
    name: number,
    endMs: number,
    status: SpanStatus,
    template: AttributeTemplate,
    link: OpenSpan | null = null,
  ): void {
    const builder = this.builder;
    if (!span.trace.sampled) {
      builder.attributes.dropOpenList();
      this.unsampled++;
      return;
    }
    builder.begin(origin.resource, origin.scope);
    const row = builder.open;
    for (let i = 0; i < 4; i++) builder.traceId[4 * row + i] = span.trace.words[i]!;
    builder.spanId[2 * row] = span.high;
    builder.spanId[2 * row + 1] = span.low >>> 0;
    if (span.parent !== null) {
      builder.parentSpanId[2 * row] = span.parent.high;
      builder.parentSpanId[2 * row + 1] = span.parent.low >>> 0;
    }
    this.writeTime(builder.startWords, row, span.startMs + origin.clockOffsetMs);
    this.writeTime(builder.endWords, row, endMs + origin.clockOffsetMs);
    builder.kind[row] = kind;
    builder.status[row] = status;
    builder.name[row] = name;
    builder.traceState[row] = this.traceState;
    for (let i = 0; i < template.length; i += 3) {
      builder.attributes.add(template[i]!, template[i + 1]! as AttributeType, template[i + 2]!);
    }
    if (link !== null) builder.addLink(Uint32Array.of(...link.trace.words, link.high, link.low));
    builder.commit();
    this.written++;
  }

  finish(): SpanTable {
    const { table, outOfRange } = this.builder.finish();
    if (outOfRange > 0) throw new Error(`${outOfRange} spans out of range`);
    return table;
  }

  private writeTime(words: Uint32Array, row: number, ms: number): void {
    const low = this.baseLow + Math.round(ms * NS_PER_MS);
    const carry = Math.floor(low / TWO_32);
    words[2 * row] = this.baseHigh + carry;
    words[2 * row + 1] = low - carry * TWO_32;
  }
}

/** Rejection threshold of OpenTelemetry's consistent probability sampling: (1 - p) of 2^56 in hex, without trailing zeros. */
function samplingThreshold(share: number): string {
  const threshold = BigInt(Math.round((1 - share) * 2 ** 52)) << 4n;
  return threshold.toString(16).padStart(14, "0").replace(/0+$/, "") || "0";
}
