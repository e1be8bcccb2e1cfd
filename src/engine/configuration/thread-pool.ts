import { largestOf, meanOf, measureOf, valuesOf, type ServiceMeasure } from "../resources/service-measures.ts";
import { count, percent } from "../wording.ts";
import { together, type CheckResult, type ConfigurationCheck } from "./configuration-check.ts";

/** Threads of libuv's pool unless UV_THREADPOOL_SIZE says otherwise. */
const UV_DEFAULT = 4;
const FULL = 0.95;
/** All threads in use for a fifth of the time, with something waiting, is no burst. */
const OFTEN = 0.2;

/** Threads of a pool that are all in use while work waits for one: executors by their own metrics, libuv's by what is in flight. */
export const threadPool: ConfigurationCheck = {
  what: "thread pools",
  run: ({ resources }) =>
    together(
      [...(resources?.now.services ?? [])].flatMap(([service, measures]) => [
        executor(service, measures),
        uvPool(service, measures),
      ]),
    ),
};

function executor(service: string, measures: readonly ServiceMeasure[]): CheckResult {
  const used = valuesOf(measures, "threads-used");
  const most = meanOf(valuesOf(measures, "threads-max"));
  if (used === undefined || !(most > 0)) return { problems: [], fine: [] };
  const queue =
    measures.find(({ measure, resource }) => measure === "queue-depth" && resource === "") ??
    measureOf(measures, "queue-depth");
  const known = used.filter((value) => Number.isFinite(value));
  const full = known.filter((value) => value >= FULL * most).length / Math.max(1, known.length);
  const waiting = meanOf(queue?.values);
  const sum = `${count(Math.round(meanOf(known)))} of ${count(Math.round(most))} threads in use on average, all of them ${percent(full)} of the time`;
  if (full < OFTEN || !(waiting >= 1)) return { problems: [], fine: [{ text: `${service}: ${sum}`, tightness: full }] };
  const need = Math.ceil(most + waiting);
  return {
    problems: [
      problemOf(service, "threads.max", `threads.max: ${Math.round(most)} -> ${need}`, {
        arithmetic: `${sum}; ${waiting.toFixed(1)} tasks wait for one: ${Math.round(most)} + ${waiting.toFixed(1)} = ${need} at work at once`,
        harm: `${waiting.toFixed(1)} tasks wait on average for one of ${Math.round(most)} threads`,
      }),
    ],
    fine: [],
  };
}

/** Snapshots of what libuv's pool works on or will: more than its threads for long is a queue. */
function uvPool(service: string, measures: readonly ServiceMeasure[]): CheckResult {
  const requests = measureOf(measures, "uv-requests");
  if (requests === undefined) return { problems: [], fine: [] };
  const each = requests.values.map((value) => value / Math.max(1, requests.instances.length));
  const known = each.filter((value) => Number.isFinite(value));
  const above = known.filter((value) => value > UV_DEFAULT).length / Math.max(1, known.length);
  const sum = `${meanOf(known).toFixed(1)} requests at the thread pool on average, at most ${count(largestOf(known))}, for ${UV_DEFAULT} threads unless UV_THREADPOOL_SIZE says otherwise`;
  if (above < OFTEN) return { problems: [], fine: [{ text: `${service}: ${sum}`, tightness: above }] };
  const need = Math.min(128, Math.ceil(largestOf(known)));
  return {
    problems: [
      problemOf(service, "UV_THREADPOOL_SIZE", `UV_THREADPOOL_SIZE: ${UV_DEFAULT} -> ${need}`, {
        arithmetic: sum,
        harm: `more requests than threads in ${percent(above)} of the samples: files, DNS, compression and cryptography wait for each other`,
      }),
    ],
    fine: [],
  };
}

function problemOf(
  service: string,
  setting: string,
  change: string,
  { arithmetic, harm }: { arithmetic: string; harm: string },
): CheckResult["problems"][number] {
  return {
    service,
    resource: "threads",
    setting,
    change,
    mechanism: "thread-starvation",
    saidAs: new Set(["thread-starvation", "load-increase"]),
    arithmetic,
    title: `${service} has too few threads for its work: ${setting}`,
    remedy: "More threads where they wait rather than compute; where they compute, no more than there are cores.",
    reference: setting === "UV_THREADPOOL_SIZE" ? "libuv: thread pool work scheduling" : "Little's law",
    query: `threads in use and tasks that wait, of ${service}`,
    refutedBy: "threads are idle while tasks wait",
    confidence: 0.75,
    harm: { text: harm },
  };
}
