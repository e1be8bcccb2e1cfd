import { bootstrapQuantilePairs } from "../../analysis/bootstrap.ts";
import { findFlows } from "../../analysis/flows.ts";
import { quantileOf } from "../../analysis/weighted-quantile.ts";
import { SpanKind, traceIdHex } from "../../model/span-table.ts";
import type { EndpointView } from "../endpoint-view.ts";
import type { Claim } from "../findings.ts";
import type { Window } from "../window.ts";
import { ms, percent, times } from "../wording.ts";
import { mapToFloats } from "../../model/map-column.ts";

const MIN_FLOWS = 50;

/**
 * Messages wait in a queue before they are handled: the flow from sender to
 * handler is analysed like an endpoint of its own, with the gap between them as
 * what could be gained. A wait that exceeds the handling itself is a backlog.
 */
export function explainQueues(window: Window, views: readonly EndpointView[], seed: number): Claim[] {
  const flows = findFlows(window.forest);
  const claims: Claim[] = [];
  const membersOf = Array.from({ length: flows.groups.rowCount }, (): number[] => []);
  for (let i = 0; i < flows.rowCount; i++) membersOf[flows.group[i]!]!.push(i);
  for (const [group, members] of membersOf.entries()) {
    const waiting = stillWaiting(window, flows, group, members);
    if (members.length + waiting.length < MIN_FLOWS) continue;
    const claim = explainQueue(window, views, flows, group, members, waiting, seed);
    if (claim !== undefined) claims.push(claim);
  }
  return claims;
}

function explainQueue(
  window: Window,
  views: readonly EndpointView[],
  flows: ReturnType<typeof findFlows>,
  group: number,
  members: readonly number[],
  waiting: readonly number[],
  seed: number,
): Claim | undefined {
  const { text, forest } = window;
  const handling = mapToFloats(members, (i) => forest.endNs[flows.consumer[i]!]! - forest.startNs[flows.consumer[i]!]!);
  const quantile = (values: Float64Array, p: number): number => quantileOf(values, p);
  // Those that nobody has taken up yet have waited until the end of the window at least.
  const end = endOf(window);
  const soFar = waiting.map((row) => end - forest.endNs[row]!);
  const queue = Float64Array.from([...members.map((i) => flows.queueNs[i]!), ...soFar]);
  const atLeast = quantile(handling, 0.5);
  const latency = Float64Array.from([
    ...members.map((i) => flows.latencyNs[i]!),
    ...waiting.map((row, i) => forest.endNs[row]! - forest.startNs[row]! + soFar[i]! + atLeast),
  ]);
  const [queue50, queue99, work50] = [quantile(queue, 0.5), quantile(queue, 0.99), quantile(handling, 0.5)];
  if (queue99 < 1e6) return undefined;
  const consumer = text(flows.groups.consumerService[group]!);
  const operation = text(flows.groups.consumerOperation[group]!);
  const destination = flows.groups.destination[group]! < 0 ? "" : text(flows.groups.destination[group]!);
  const harmful = queue50 >= 2 * work50 && queue50 >= 5e6;
  const view = viewOf(window, views, [...members.map((i) => flows.producer[i]!), ...waiting]);
  if (view === undefined) return undefined;
  const pair = bootstrapQuantilePairs(
    latency,
    latency.map((ns, i) => ns - queue[i]!),
    undefined,
    [0.5, 0.95, 0.99],
    { seed },
  );
  const slowest = members.toSorted((a, b) => flows.queueNs[b]! - flows.queueNs[a]!).slice(0, 3);
  const queueName = destination === "" ? "its queue" : destination;
  const producer = {
    service: text(flows.groups.producerService[group]!),
    operation: text(flows.groups.producerOperation[group]!),
  };
  return {
    view,
    predicted: { p50: pair[0]!, p95: pair[1]!, p99: pair[2]! },
    at: producer,
    background: true,
    explanation: {
      mechanism: "queue-backlog",
      kind: "throughput",
      subject: { service: consumer, operation, resource: `queue:${destination || operation}` },
      title: `messages wait ${ms(queue50)} in ${queueName} before ${consumer} handles them (${ms(queue99)} at p99)`,
      why: `${members.length + waiting.length} messages${waiting.length === 0 ? "" : `, of which ${waiting.length} still wait at the end of the window, the last that were sent`}: ${ms(work50)} of handling (median) after ${ms(queue50)} of waiting, ${times(queue50 / Math.max(1, work50))} as long; ${percent(quantile(queue, 0.5) / Math.max(1, quantile(latency, 0.5)))} of the way from sender to handler is the queue.`,
      confidence: harmful ? 0.88 : 0.3,
      harmful,
      nodes: [],
      undo: [],
      chain: [
        {
          claim: `${producer.service} ${producer.operation}: ${ms(quantile(latency, 0.99))} at p99 until ${consumer} is done`,
          evidence: [],
        },
        { claim: `${ms(queue99)} of it pass in ${queueName}`, evidence: [0, 1] },
      ],
      evidence: [
        {
          kind: "trace",
          text: `messages that waited longest: ${slowest.map((i) => traceIdHex(window.spans, flows.producer[i]!)).join(", ")}`,
          query: `end of the PRODUCER span to start of the CONSUMER span, ${queueName}`,
        },
        {
          kind: "statistic",
          text: `waiting: median ${ms(queue50)}, p99 ${ms(queue99)}; handling: median ${ms(work50)}, p99 ${ms(quantile(handling, 0.99))}`,
          query: `queue gap of ${queueName}`,
        },
      ],
      counter: [
        "a poll interval or a batch that is being filled waits as well, without any backlog; the depth of the queue would tell",
      ],
      refutedBy: `an empty queue while messages wait`,
      remedy: {
        text: `More consumers or instances of ${consumer}, larger batches, or less work per message; see the depth of ${queueName} over time.`,
      },
    },
  };
}

/** Share of the messages without a handler that has to have been sent after nearly all of those with one: a queue keeps the order. */
const IN_ORDER = 0.9;

/**
 * Messages that nobody has handled by the end of the window: those of a group that have no handler, where they are the
 * last that were sent. Strewn over the window they are lost, or their handlers' spans are.
 */
function stillWaiting(
  { forest, spans, facts }: Window,
  flows: ReturnType<typeof findFlows>,
  group: number,
  members: readonly number[],
): number[] {
  if (members.length === 0) return [];
  const handled = new Set(flows.producer);
  const sent = mapToFloats(members, (i) => forest.startNs[flows.producer[i]!]!);
  const service = flows.groups.producerService[group]!;
  const operation = flows.groups.producerOperation[group]!;
  const without = Array.from(forest.rows).filter(
    (row) =>
      spans.kind[row] === SpanKind.producer &&
      facts.service[row] === service &&
      facts.operation[row] === operation &&
      !handled.has(row),
  );
  const lastHandled = quantileOf(sent, 0.9);
  const after = without.filter((row) => forest.startNs[row]! >= lastHandled);
  return after.length >= IN_ORDER * without.length ? after : [];
}

const endOf = ({ forest }: Window): number =>
  forest.rows.reduce((latest, row) => Math.max(latest, forest.endNs[row]!), Number.NEGATIVE_INFINITY);

/** The endpoint (of those looked at) whose requests send most of the messages; undefined when none of them does. */
function viewOf(
  { facts, forest }: Window,
  views: readonly EndpointView[],
  producers: readonly number[],
): EndpointView | undefined {
  const sent = new Map<string, number>();
  for (const row of producers) {
    const root = forest.root[forest.trace[row]!]!;
    const key = `${facts.service[root]} ${facts.operation[root]}`;
    sent.set(key, (sent.get(key) ?? 0) + 1);
  }
  const by = ({ endpoint }: EndpointView): number => sent.get(`${endpoint.service} ${endpoint.operation}`) ?? 0;
  return views.reduce<EndpointView | undefined>((a, b) => (by(b) > (a === undefined ? 0 : by(a)) ? b : a), undefined);
}
