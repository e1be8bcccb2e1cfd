import { normalUpperTail } from "../../analysis/special-functions.ts";
import { attributeText, AttributeType } from "../../model/attribute-table.ts";
import { SpanRole } from "../../model/span-facts.ts";
import type { Window } from "../window.ts";
import { plural } from "../wording.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** The attribute by which costs are told apart beside the endpoint, and its value for each trace. */
export interface TenantAttribute {
  readonly name: string;
  /** "" where the trace names none; the less costly values together are one */
  readonly ofTrace: (trace: number) => string;
}

/** Names by convention of who a request is made for, the most telling first. */
const CONVENTIONS: readonly RegExp[] = [
  /(^|[._-])(tenant|customer|organi[sz]ation|org|workspace)([._-]?(id|name|slug|key|code))?$/i,
  /(^|[._-])(account|company|merchant|subscription|project|shop|site|team)([._-]?(id|name|slug|key|code))?$/i,
  /^(enduser|user)\.(id|role|scope|name)$|(^|[._-])(client|consumer|api[._-]?key)[._-]?(id|name)$/i,
];
/** What says how a request went, what it asked for or where it ran, not for whom. */
const NOT_A_TENANT =
  /^(https?|url|net|network|server|client|peer|db|rpc|code|thread|otel|telemetry|exception|error|event|messaging|span|status|host|process|service|sampling|internal|component|express|router|faas|cloud|k8s|container|os|deployment|level|sampler|type|kind)([._]|$)/i;

/** An attribute on fewer of the requests tells of a part only. */
const MIN_COVERAGE = 0.5;
/** More values than this are identifiers; those of a convention may be many. */
const MAX_VALUES = 50;
/** Values told apart; what the others cost stands under one name. */
const MAX_NAMED = 20;
/** A tenth of the costs at another value than the requests' share would make it is worth a column. */
const UNEVEN = 0.1;
const SIGNIFICANT = 0.001;

interface Candidate {
  readonly key: number;
  /** string id per trace, -1 for none */
  readonly values: Int32Array;
  /** place in CONVENTIONS, their number for none */
  readonly order: number;
}

/**
 * The attribute of the root spans that names who requests are made for: by convention, or any of few values whose requests
 * cost more or less than those of the same endpoint do in general, by a test. `workNs`: busy time per trace.
 */
export function tenantAttribute(window: Window, workNs: Float64Array): TenantAttribute | undefined {
  const candidates = candidatesOf(window);
  const named = candidates
    .filter((one) => one.order < CONVENTIONS.length && new Set(one.values).size >= 2)
    .toSorted((a, b) => a.order - b.order || nameOf(window, a).localeCompare(nameOf(window, b)))[0];
  const chosen = named ?? mostUneven(window, candidates, workNs);
  return chosen === undefined ? undefined : lumped(window, chosen, workNs);
}

const nameOf = (window: Window, { key }: Candidate): string => window.text(key);

function candidatesOf(window: Window): Candidate[] {
  const { forest, spans, text } = window;
  const { attributes } = spans;
  const columns = new Map<number, Int32Array | undefined>();
  const seen = new Map<number, number>();
  let requests = 0;
  for (let trace = 0; trace < forest.traceCount; trace++) {
    const row = forest.root[trace]!;
    if (forest.facts.role[row] === SpanRole.consumer) continue;
    requests++;
    for (let at = attributes.listStart[row]!; at < attributes.listStart[row + 1]!; at++) {
      const key = attributes.key[at]!;
      let column = columns.get(key);
      if (column === undefined) {
        if (columns.has(key)) continue;
        const isOther = NOT_A_TENANT.test(text(key)) && orderOf(text(key)) === CONVENTIONS.length;
        column = isOther ? undefined : new Int32Array(forest.traceCount).fill(-1);
        columns.set(key, column);
      }
      const type = attributes.type[at];
      if (column === undefined || type === AttributeType.json) continue;
      if (column[trace] === -1) seen.set(key, (seen.get(key) ?? 0) + 1);
      column[trace] =
        type === AttributeType.string
          ? attributes.value[at]!
          : spans.strings.intern(attributeText(attributes, spans.strings, at));
    }
  }
  return [...columns]
    .filter(([key]) => (seen.get(key) ?? 0) >= MIN_COVERAGE * requests)
    .flatMap(([key, values]) => (values === undefined ? [] : [{ key, values, order: orderOf(text(key)) }]));
}

function orderOf(name: string): number {
  const at = CONVENTIONS.findIndex((pattern) => pattern.test(name));
  return at < 0 ? CONVENTIONS.length : at;
}

/** The attribute that moves most of the costs to other values than the endpoints of its requests would make it. */
function mostUneven(window: Window, candidates: readonly Candidate[], workNs: Float64Array): Candidate | undefined {
  const { mean, variance } = momentsByEndpoint(window, workNs);
  const tests = candidates.flatMap((one) => {
    const values = new Set(one.values);
    return values.size < 2 || values.size > MAX_VALUES ? [] : [{ one, values: values.size }];
  });
  const all = tests.reduce((sum, { values }) => sum + values, 0);
  const total = workNs.reduce((a, b) => a + b, 0);
  let best: { one: Candidate; moved: number } | undefined;
  for (const { one } of tests) {
    const groups = new Map<number, { excess: number; variance: number }>();
    one.values.forEach((value, trace) => {
      let held = groups.get(value);
      if (held === undefined) groups.set(value, (held = { excess: 0, variance: 0 }));
      held.excess += workNs[trace]! - mean[trace]!;
      held.variance += variance[trace]!;
    });
    const moved = [...groups.values()].reduce((sum, group) => {
      const z = group.variance > 0 ? Math.abs(group.excess) / Math.sqrt(group.variance) : 0;
      return 2 * normalUpperTail(z) * all < SIGNIFICANT ? sum + Math.abs(group.excess) / 2 : sum;
    }, 0);
    if (moved >= UNEVEN * total && moved > (best?.moved ?? 0)) best = { one, moved };
  }
  return best?.one;
}

/** Mean and variance of the work of the traces of the same endpoint, per trace. */
function momentsByEndpoint({ forest }: Window, workNs: Float64Array): { mean: Float64Array; variance: Float64Array } {
  const sums = new Map<number, { n: number; sum: number; squares: number }>();
  const { service, operation } = forest.facts;
  // Two string ids in one double: exact as long as a pool holds fewer than 67 million strings.
  const keys = mapToFloats(forest.root, (row) => service[row]! * 2 ** 26 + operation[row]!);
  keys.forEach((key, trace) => {
    let held = sums.get(key);
    if (held === undefined) sums.set(key, (held = { n: 0, sum: 0, squares: 0 }));
    held.n++;
    held.sum += workNs[trace]!;
    held.squares += workNs[trace]! ** 2;
  });
  const mean = mapToFloats(keys, (key) => sums.get(key)!.sum / sums.get(key)!.n);
  const variance = mapToFloats(keys, (key, trace) => {
    const { n, squares } = sums.get(key)!;
    return Math.max(0, squares / n - mean[trace]! ** 2);
  });
  return { mean, variance };
}

/** The costliest values under their names, the others under one. */
function lumped(window: Window, chosen: Candidate, workNs: Float64Array): TenantAttribute {
  const { values } = chosen;
  const name = nameOf(window, chosen);
  const work = new Map<number, number>();
  values.forEach((value, trace) => {
    if (value >= 0) work.set(value, (work.get(value) ?? 0) + workNs[trace]!);
  });
  const ordered = [...work.keys()].toSorted(
    (a, b) => work.get(b)! - work.get(a)! || (window.text(a) < window.text(b) ? -1 : 1),
  );
  const kept = ordered.length <= MAX_NAMED ? ordered : ordered.slice(0, MAX_NAMED - 1);
  const names = new Map(kept.map((value) => [value, window.text(value)]));
  const others = plural(ordered.length - kept.length, "other");
  return { name, ofTrace: (trace) => (values[trace]! < 0 ? "" : (names.get(values[trace]!) ?? others)) };
}
