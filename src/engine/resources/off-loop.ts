import type { Explanation } from "../hot-spot.ts";
import type { ResourceContext } from "./resource-context.ts";
import { valuesOf, meanOf } from "./service-measures.ts";

/**
 * Cores that a process uses beside its event loop from which on threads do its work: collecting garbage and compiling take a
 * tenth of one at most.
 */
const OFF_LOOP = 0.3;

/**
 * Work of one kind that waits for others of its kind, in a process that computes outside of its event loop: it is in the
 * runtime's thread pool (hashes, compression, files, names), and there are too few threads. A lock that is held while
 * something else is waited for leaves the processor idle. Undefined where the metrics don't tell both.
 */
export function inThreadPool(explanation: Explanation, { now }: ResourceContext): Explanation | undefined {
  if (explanation.mechanism !== "lock-contention") return undefined;
  const { service } = explanation.subject;
  const measures = now.services.get(service);
  const cores = meanOf(valuesOf(measures, "cpu-used"));
  const loop = meanOf(valuesOf(measures, "event-loop-active") ?? valuesOf(measures, "event-loop-share"));
  if (!(cores - loop >= OFF_LOOP)) return undefined;
  const { resource: _, ...subject } = explanation.subject;
  // Event loops whose metrics have these names are libuv's: this is the name of the setting there.
  const setting = "UV_THREADPOOL_SIZE";
  const text = `${service} uses ${cores.toFixed(2)} cores, and its event loop is busy for ${loop.toFixed(2)} of one: the rest is work of its threads`;
  return {
    ...explanation,
    mechanism: "thread-starvation",
    subject: { ...subject, resource: "threads", setting },
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
      text: `Give the runtime's thread pool more threads (${setting} for Node), as far as there are cores, or give such work less to do.`,
    },
  };
}
