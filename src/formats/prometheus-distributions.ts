import { AttributeType } from "../model/attribute-table.ts";
import type { Intake } from "../model/intake.ts";
import { MetricKind, Temporality } from "../model/metric-table.ts";
import type { MetricTableBuilder } from "../model/metric-table-builder.ts";
import type { Head } from "./prometheus-heads.ts";

/** A measurement that names its trace. */
export interface Exemplar {
  /** nanoseconds since 1970, 0,0 when it was not said */
  readonly high: number;
  readonly low: number;
  readonly value: number;
  /** 4 words of the trace id, 2 of the span id */
  readonly ids: Uint32Array;
}

interface Part {
  readonly head: Head;
  readonly resource: number;
  readonly high: number;
  readonly low: number;
  startNs: number;
  sum: number;
  count: number;
  /** bound and cumulative count, or quantile and value */
  readonly rows: (readonly [bound: number, value: number])[];
  readonly exemplars: Exemplar[];
}

/** Puts the lines of histograms and summaries together: one point per label set and time, at the end of their family. */
export class PrometheusDistributions {
  private readonly into: MetricTableBuilder;
  private readonly intake: Intake;
  private family = "";
  private parts = new Map<string, Part>();

  constructor(into: MetricTableBuilder, intake: Intake) {
    this.into = into;
    this.intake = intake;
  }

  add(
    head: Head,
    value: number,
    time: { readonly high: number; readonly low: number },
    resource: number,
    exemplar: Exemplar | undefined,
  ): void {
    if (head.name !== this.family) {
      this.flush();
      this.family = head.name;
    }
    const key = JSON.stringify([resource, time.high, time.low, head.labels]);
    let part = this.parts.get(key);
    if (part === undefined) {
      part = {
        head,
        resource,
        high: time.high,
        low: time.low,
        startNs: 0,
        sum: Number.NaN,
        count: Number.NaN,
        rows: [],
        exemplars: [],
      };
      this.parts.set(key, part);
    }
    if (head.role === "sum") part.sum = value;
    else if (head.role === "count") part.count = value;
    else if (head.role === "created") part.startNs = value * 1e9;
    else part.rows.push([head.bound, value]);
    if (exemplar !== undefined) part.exemplars.push(exemplar);
  }

  /** Writes the points of the family read so far. */
  flush(): void {
    for (const part of this.parts.values()) this.write(part);
    this.parts.clear();
  }

  private write(part: Part): void {
    const { into } = this;
    const { head } = part;
    into.begin();
    const { point } = into;
    [point.timeHigh, point.timeLow, point.value] = [part.high, part.low, part.sum];
    if (part.startNs > 0) {
      point.startHigh = Math.floor(part.startNs / 2 ** 32);
      point.startLow = part.startNs % 2 ** 32;
    }
    const rows = part.rows.toSorted((a, b) => a[0] - b[0]);
    let before = 0;
    let sound = true;
    for (const [bound, value] of rows) {
      if (head.kind === MetricKind.histogram) {
        sound &&= value >= before;
        into.addBucket(bound, value - before);
        before = value;
      } else into.addBucket(bound, value);
    }
    if (head.kind === MetricKind.histogram) {
      point.count = Number.isNaN(part.count) ? before : part.count;
      if (rows.length > 0 && rows.at(-1)![0] !== Number.POSITIVE_INFINITY) {
        into.addBucket(Number.POSITIVE_INFINITY, Math.max(0, point.count - before));
      }
    } else point.count = Number.isNaN(part.count) ? 0 : part.count;
    if (!sound || !into.bucketsAscend()) {
      into.drop();
      const what = sound ? "a bound twice or none" : "cumulative counts that fall";
      this.intake.points.reject("point-malformed", `${head.name}: found ${what}`);
      return;
    }
    for (const [key, text] of head.labels) {
      into.labels.add(into.strings.intern(key), AttributeType.string, into.strings.intern(text));
    }
    for (const { high, low, value, ids } of part.exemplars) into.addExemplar(high, low, value, ids);
    into.commit(head.kind);
    into.assign(into.open - 1, into.open, {
      resource: part.resource,
      scope: 0,
      name: into.strings.intern(head.name),
      unit: into.strings.intern(head.unit),
      kind: head.kind,
      temporality: head.kind === MetricKind.histogram ? Temporality.cumulative : Temporality.unspecified,
      monotonic: false,
    });
    this.intake.points.accept();
  }
}
