import { count, ms, percent } from "../wording.ts";
import type { MicroCase, MicroCause } from "./micro-cause.ts";
import type { ThreadTime } from "./time-ledger.ts";

/** Of the time in which a thread could have run; every scheduler makes threads wait a little. */
const MIN_QUEUE_SHARE = 0.2;
const MIN_THROTTLED_SHARE = 0.02;

/** What keeps threads that are ready from running: the quota of their group, or others on the processors. */
export function processorWaitCauses(one: MicroCase): MicroCause[] {
  const threads = [...one.ledger.threads];
  const most = (pick: (thread: ThreadTime) => number): ThreadTime | undefined =>
    threads.sort((a, b) => pick(b) - pick(a) || a.thread.tid - b.thread.tid)[0];
  const queued = most(({ ns }) => ns.runnable);
  const throttled = most(({ ns }) => ns.throttled);
  return [
    ...(queued === undefined ? [] : runQueue(one, queued)),
    ...(throttled === undefined ? [] : quota(one, throttled)),
  ];
}

function runQueue({ recording, again }: MicroCase, held: ThreadTime): MicroCause[] {
  const { thread, ns } = held;
  const share = ns.runnable / Math.max(1, ns.runnable + thread.cpuNs);
  if (share < MIN_QUEUE_SHARE) return [];
  const all = recording.preemptedBy.reduce((sum, one) => sum + one.count, 0);
  const own = recording.threads.map(({ pid }) => pid);
  const others = recording.preemptedBy.filter(({ pid }) => pid !== 0 && !own.includes(pid));
  const foreign = others.reduce((sum, one) => sum + one.count, 0);
  const isNeighbour = all >= 10 && foreign / all > 0.5;
  const who = others.slice(0, 3).map(({ name, pid, count: times }) => `${name} (${pid}, ${count(times)} times)`);
  const histogram = recording.histograms.find(({ what }) => what === "run-queue");
  return [
    {
      mechanism: isNeighbour ? "noisy-neighbour" : "run-queue",
      kind: "resource",
      title: `thread ${thread.name} of ${recording.name} waits for a processor ${percent(ns.runnable / thread.wallNs)} of its time`,
      why: `It ran for ${ms(thread.cpuNs)} and stood in the queue for ${ms(ns.runnable)}${who.length === 0 ? "" : `; the processor went to ${who.join(", ")}`}.`,
      subject: { resource: "cpu" },
      thread: held,
      gainNs: ns.runnable,
      lowNs: ns.runnable,
      highNs: ns.runnable,
      most: "critical",
      confidence: 0.9,
      evidence: [
        {
          kind: "statistic",
          text: `run queue: ${ms(ns.runnable)} of ${ms(thread.wallNs)}${thread.preemptions === 0 ? "" : `, taken off the processor ${count(thread.preemptions)} times`}`,
          query: `cat /proc/${thread.pid}/task/${thread.tid}/schedstat`,
        },
        ...(histogram === undefined
          ? []
          : [
              {
                kind: "statistic" as const,
                text: `${count(histogram.count)} waits for a processor, ${ms(histogram.sumNs / Math.max(1, histogram.count))} each`,
                query: again(""),
              },
            ]),
      ],
      counter: isNeighbour
        ? []
        : ["threads of the same process that take it from each other need more processors, or fewer of them"],
      refutedBy: "idle processors during the recording",
      remedy: {
        text: isNeighbour
          ? "Move the other programs to another host or bind them to other processors, or give this one a greater weight."
          : `Give it more processors (there are ${recording.processors}), or run fewer threads at once.`,
      },
    },
  ];
}

function quota({ recording }: MicroCase, held: ThreadTime): MicroCause[] {
  const { thread, ns } = held;
  if (ns.throttled / thread.wallNs < MIN_THROTTLED_SHARE) return [];
  const { throttledPeriods, throttledNs, quotaCores } = recording.counters;
  const limit = quotaCores > 0 ? `${quotaCores.toFixed(2)} cores` : "its quota";
  return [
    {
      mechanism: "cpu-throttled",
      kind: "config",
      title: `${recording.name} is held back by ${limit}: thread ${thread.name} waits ${percent(ns.throttled / thread.wallNs)} of its time`,
      why: `Its control group used up ${limit} in ${count(throttledPeriods)} periods, and was held back for ${ms(throttledNs)}.`,
      subject: { resource: "quota", setting: "cpu quota" },
      thread: held,
      gainNs: ns.throttled,
      lowNs: ns.throttled,
      highNs: ns.throttled,
      most: "critical",
      confidence: 0.9,
      evidence: [
        {
          kind: "statistic",
          text: `${count(throttledPeriods)} periods throttled, ${ms(throttledNs)} in all`,
          query: `cat /proc/${recording.pid}/cgroup`,
        },
      ],
      counter: ["the group's other processes use the same quota"],
      refutedBy: "no period throttled, and the wait stays",
      remedy: {
        text: "Raise the quota, or let fewer threads run at once.",
        ...(quotaCores > 0
          ? { change: `cpu quota: ${quotaCores.toFixed(2)} -> ${Math.ceil(quotaCores * 1.5)} cores` }
          : {}),
      },
    },
  ];
}
