import { rankAttributes, type RankedAttribute } from "../../analysis/attribute-ranking.ts";
import { AttributeType } from "../../model/attribute-table.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { exampleTraces, spanRows, type Case } from "../case.ts";
import { workOf } from "../congestion.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { oncePerWindow } from "../once-per-window.ts";
import { sampledRows } from "../sampled-rows.ts";
import { medianOf } from "../sibling-calls.ts";
import { count, ms, percent, plural, shorten, times } from "../wording.ts";

/** What the transport, the runtime or the outcome wrote: a consequence or an address, not a property of the request. */
const NOT_A_PROPERTY =
  /^(?:http\.(?:status|response|url|target|host|flavor|method|request\.method|scheme)|url\.|net\.|network\.|server\.|client\.|peer\.|rpc\.(?:grpc\.)?(?:status|response)|error|exception|thread\.|code\.|otel\.|db\.(?:statement|query|system|name|namespace|user|connection)|user_agent)/;
const MAX_ROWS = 5_000;

/** Requests with one attribute value (a tenant, a region, a version) are the slow ones in this piece of work. */
export function explainAttribute(theCase: Case, spot: HotSpot): Explanation | undefined {
  if (spot.timeKind !== "unexplained" && spot.timeKind !== "callee") return undefined;
  const { window, view, ownNs } = theCase;
  const all = spanRows(window, spot.node).filter((row) => ownNs[row]! > 0);
  const rows = sampledRows(window, all, MAX_ROWS);
  if (rows.length < 100) return undefined;
  // What each needs by itself: behind slow requests the others wait, and waiting has no attribute.
  const work = workOf(window, ownNs, spot.node, rows);
  const ascending = work.slice().sort();
  const columns = categoricalColumns(theCase, rows);
  // How many are slow because of the value is not known before: the value has to explain one of these tails.
  let found: RankedAttribute | undefined;
  for (const share of [0.1, 0.05, 0.02, 0.01]) {
    const limit = ascending[Math.floor(ascending.length * (1 - share))]!;
    const slow = Uint8Array.from(work, (ns) => (ns >= limit ? 1 : 0));
    found = rankAttributes({ slow, categorical: columns, numeric: [] }, { limit: 3 }).ranked.find(
      (r) =>
        r.condition.kind === "equals" && r.shareOfSlow >= 0.6 && r.lift >= 3 && r.explained >= 0.5 && r.qValue < 0.001,
    );
    if (found !== undefined) break;
  }
  if (found === undefined || found.condition.kind !== "equals") return undefined;
  const { attribute, value } = found.condition;
  const column = columns.find((c) => c.attribute === attribute)!;
  const matching = rows.filter((_, i) => column.value[i] === value);
  const matchingNs = medianOf(work.filter((_, i) => column.value[i] === value));
  const restNs = medianOf(work.filter((_, i) => column.value[i] !== value));
  if (matchingNs < 1.8 * Math.max(1, restNs)) return undefined;
  const what = `${window.text(attribute)} = ${shorten(window.text(value), 40)}`;
  const harmful = matchingNs - restNs >= 0.1 * view.p99 || found.shareOfSlow * spot.slowNs >= 0.3 * view.p99;
  // The cause is taken away from all of them, not only from those that were looked at.
  const allWork = rows === all ? work : workOf(window, ownNs, spot.node, all);
  const [ofAll] = rows === all ? [column] : categoricalColumns(theCase, all, attribute);
  const isCall = spot.timeKind === "callee";
  const service = isCall && spot.callee !== "" ? spot.callee : spot.service;
  return {
    mechanism: isCall ? (spot.role === SpanRole.database ? "slow-query" : "external-dependency") : "slow-code",
    kind: "latency",
    subject: { service, operation: spot.operation, ...(spot.statement === "" ? {} : { statement: spot.statement }) },
    title: `${spot.operation} of ${spot.service} is ${times(matchingNs / Math.max(1, restNs))} as slow for ${what}`,
    why: `${percent(found.shareOfSlow)} of its slowest have ${what}, of all only ${percent(found.shareOfAll)}: ${ms(matchingNs)} (median) against ${ms(restNs)}.`,
    confidence: harmful ? 0.93 : 0.35,
    harmful,
    nodes: [spot.node],
    undo: [
      {
        kind: "own-time",
        rows: all,
        // Without the slow ones the others hardly wait either.
        ownNs: allWork.map((ns, i) => (ofAll!.value[i] === value ? (ns * restNs) / Math.max(1, matchingNs) : ns)),
      },
    ],
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `${spot.service} ${spot.operation}: ${ms(spot.slowNs)} of it`, evidence: [0] },
      { claim: `mostly for ${what}`, evidence: [1] },
    ],
    evidence: [
      {
        kind: "trace",
        text: `slow requests with it: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `"${spot.operation}" of ${spot.service} where ${what}`,
      },
      {
        kind: "statistic",
        text: attributeStatistic(found, matching.length, rows.length),
        query: `own time of "${spot.operation}" by ${window.text(attribute)}`,
      },
    ],
    counter: [
      ...(found.alike.length > 0
        ? [
            `${plural(found.alike.length, "other attribute value")} ${found.alike.length === 1 ? "selects" : "select"} the same requests: the data cannot tell them apart`,
          ]
        : []),
      "that the value goes with the slowness does not show how it causes it",
    ],
    refutedBy: `requests with ${what} that are fast in the same work`,
    remedy: {
      text: `Look at what is special about ${what}: its amount of data, its settings, a code path of its own.`,
    },
  };
}

const attributeStatistic = (r: RankedAttribute, matching: number, all: number): string =>
  `${count(matching)} of ${count(all)} spans have it; they are slow ${Math.round(r.lift * 10) / 10} times as often as all are. Chance as the reason: ${r.qValue.toExponential(1)} (false-discovery rate over all attributes)`;

/** Per string id: 1 for keys that are no property of the request. */
const skippedKeys = oncePerWindow((window): Uint8Array => {
  const { attributes, strings } = window.spans;
  const skip = new Uint8Array(strings.size);
  const seen = new Uint8Array(strings.size);
  for (const key of attributes.key) {
    if (seen[key] === 1) continue;
    seen[key] = 1;
    if (NOT_A_PROPERTY.test(strings.get(key))) skip[key] = 1;
  }
  return skip;
});

/** String attributes of the spans and of their traces' roots, one column per key (or for `only` one), by name: -1 where absent. */
function categoricalColumns(
  theCase: Case,
  rows: Int32Array,
  only?: number,
): { attribute: number; value: Int32Array }[] {
  const { window } = theCase;
  const { attributes, strings } = window.spans;
  const { forest } = window;
  const columns = new Map<number, Int32Array>();
  const skip = skippedKeys(window);
  const collect = (i: number, from: number): void => {
    for (let at = attributes.listStart[from]!; at < attributes.listStart[from + 1]!; at++) {
      const type = attributes.type[at];
      if (type !== AttributeType.string && type !== AttributeType.boolean) continue;
      const key = attributes.key[at]!;
      if (only !== undefined && key !== only) continue;
      if (skip[key] === 1) continue;
      let column = columns.get(key);
      if (column === undefined) columns.set(key, (column = new Int32Array(rows.length).fill(-1)));
      column[i] =
        type === AttributeType.boolean
          ? strings.intern(attributes.value[at] === 1 ? "true" : "false")
          : attributes.value[at]!;
    }
  };
  for (const [i, row] of rows.entries()) {
    const root = forest.root[forest.trace[row]!]!;
    if (root !== row) collect(i, root);
    collect(i, row);
  }
  return [...columns]
    .map(([attribute, value]) => ({ attribute, value }))
    .sort((a, b) => (strings.get(a.attribute) < strings.get(b.attribute) ? -1 : 1));
}
