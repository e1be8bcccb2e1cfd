import type { Explanation } from "../hot-spot.ts";
import type { ResourceContext } from "./resource-context.ts";
import { type ServiceMeasure, meanOf, measureOf } from "./service-measures.ts";

/**
 * Cores that a process uses beside its event loop from which on threads do its work: collecting garbage and compiling take a
 * tenth of one at most.
 */
const OFF_LOOP = 0.3;

/**
 * Work of one kind that waits for others of its kind, in a process that computes outside of its event loop: it is in the
 * runtime's thread pool (hashes, compression, files, names), and there are too few threads. A lock that is held while
 * something else is waited for leaves the processor idle. Each process has a loop and threads of its own: they are compared
 * one by one, and the one with the most work beside its loop counts. Undefined where the metrics don't tell both of any.
 */
export function inThreadPool(explanation: Explanation, { now }: ResourceContext): Explanation | undefined {
  if (explanation.mechanism !== "lock-contention") return undefined;
  const { service } = explanation.subject;
  const process = busiestBesideLoop(now.services.get(service));
  if (process === undefined || !(process.cores - process.loop >= OFF_LOOP)) return undefined;
  const { cores, loop, isNode, among } = process;
  const { resource: _, ...subject } = explanation.subject;
  const setting = isNode ? "UV_THREADPOOL_SIZE" : undefined;
  const who = among > 1 ? `a process of ${service} (of ${among})` : service;
  const text = `${who} uses ${cores.toFixed(2)} cores, and its event loop is busy for ${loop.toFixed(2)} of one: the rest is work of its threads`;
  return {
    ...explanation,
    mechanism: "thread-starvation",
    subject: { ...subject, resource: "threads", ...(setting === undefined ? {} : { setting }) },
    title: `${service} has too few threads: ${explanation.title}`,
    confidence: Math.max(explanation.confidence, 1 - (1 - explanation.confidence) * 0.5),
    chain: [...explanation.chain, { claim: text, evidence: [explanation.evidence.length] }],
    evidence: [
      ...explanation.evidence,
      { kind: "series", text, query: `CPU and event-loop time of ${service}, per second` },
    ],
    counter: [
      ...explanation.counter,
      "a lock around work of other threads looks the same: the number of threads tells",
    ],
    remedy: {
      text: `Give the runtime's thread pool more threads${setting === undefined ? "" : ` (${setting})`}, as far as there are cores, or give such work less to do.`,
    },
  };
}

/** Event loops whose metrics have these names are libuv's (OpenTelemetry's semantic conventions, prom-client). */
const OF_NODE = /^(?:v8js|nodejs|process\.runtime\.nodejs)[._]/;

interface ProcessUse {
  readonly cores: number;
  readonly loop: number;
  readonly isNode: boolean;
  /** processes of which both are told */
  readonly among: number;
}

function busiestBesideLoop(measures: readonly ServiceMeasure[] | undefined): ProcessUse | undefined {
  const cpu = measureOf(measures, "cpu-used")?.instances ?? [];
  const loops = (measureOf(measures, "event-loop-active") ?? measureOf(measures, "event-loop-share"))?.instances ?? [];
  const isNode = loops.some(({ metrics }) => metrics.some((name) => OF_NODE.test(name)));
  const known = cpu
    .flatMap((one) => {
      const loop = loops.find(({ instance, host }) => instance === one.instance && host === one.host);
      return loop === undefined ? [] : [{ cores: meanOf(one.values), loop: meanOf(loop.values) }];
    })
    .filter(({ cores, loop }) => Number.isFinite(cores - loop));
  // An agent and the process itself name it differently: as many of both are the same processes, which one is which is open.
  if (known.length === 0 && cpu.length > 0 && cpu.length === loops.length) {
    const [cores, loop] = [cpu, loops].map((all) => meanOf(all.map(({ values }) => meanOf(values)))) as [
      number,
      number,
    ];
    return { cores, loop, isNode, among: cpu.length };
  }
  const [most] = known.toSorted((a, b) => b.cores - b.loop - (a.cores - a.loop));
  return most === undefined ? undefined : { ...most, isNode, among: known.length };
}
