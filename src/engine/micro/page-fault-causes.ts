import { labelText, type StackTable } from "../../model/stack-table.ts";
import { NS_PER_S } from "../../model/units.ts";
import { count, ms, percent } from "../wording.ts";
import type { MicroCase, MicroCause } from "./micro-cause.ts";
import { nsOf, type FaultType } from "./page-fault-account.ts";
import { programFunction } from "./program-function.ts";
import type { ThreadTime } from "./time-ledger.ts";

/** Of the processor time of a thread: programs that are well made touch new memory, too. */
const MIN_MINOR_SHARE = 0.08;
/** Of its wall time, below which waiting for pages is not worth a word. */
const MIN_MAJOR_SHARE = 0.01;
/** The least that the kernel maps at once; where it maps more, more memory was touched than is said. */
const PAGE_BYTES = 4096;
/** Memory that was mapped anew, in times what the process has in the end: more of it was given back and taken again. */
const CHURN_FACTOR = 2;

/** What page faults cost a thread: time for memory that it touches first, waits for pages that are read from a disk. */
export function pageFaultCauses(one: MicroCase): MicroCause[] {
  return [...reading(one), ...touching(one)];
}

/** The thread that spends most time in such faults, and that time. */
function mostFaulting({ ledger }: MicroCase, type: FaultType): readonly [ThreadTime, number] | undefined {
  const timed = ledger.threads.flatMap((thread): [ThreadTime, number][] => {
    const ns = thread.thread.faults === undefined ? undefined : nsOf(thread.thread.faults, type);
    return ns === undefined || ns <= 0 ? [] : [[thread, ns]];
  });
  return timed.sort((a, b) => b[1] - a[1] || a[0].thread.tid - b[0].thread.tid)[0];
}

/** Which function of the thread makes most of its faults of a kind, and what it touches. */
function placeOf(faults: StackTable, tid: number, type: FaultType) {
  const { samples, threads } = faults;
  const values = samples.values[type === "major" ? 1 : 0]!;
  const isOf = (row: number): boolean =>
    threads.tid[samples.thread[row]!] === tid && labelText(faults, samples.labelSet[row]!, "fault") === type;
  const byMemory = new Map<string, number>();
  for (let row = 0; row < samples.rowCount; row++) {
    if (!isOf(row)) continue;
    const memory = labelText(faults, samples.labelSet[row]!, "memory");
    byMemory.set(memory, (byMemory.get(memory) ?? 0) + values[row]!);
  }
  const [memory] = [...byMemory].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[0] ?? [""];
  const isThere = (row: number): boolean => isOf(row) && labelText(faults, samples.labelSet[row]!, "memory") === memory;
  return { ...programFunction(faults, values, isThere), memory };
}

const isFile = (memory: string): boolean => memory.startsWith("/");

function reading(one: MicroCase): MicroCause[] {
  const { recording, again } = one;
  const most = mostFaulting(one, "major");
  if (most === undefined) return [];
  const [thread, ns] = most;
  const { tid, name, wallNs, faults } = thread.thread;
  if (wallNs <= 0 || ns < MIN_MAJOR_SHARE * wallNs) return [];
  const { text: frame, memory, share, samples } = placeOf(recording.faults, tid, "major");
  const number = faults!.major;
  const perSecond = count(Math.max(1, Math.round(number / (wallNs / NS_PER_S))));
  const from = frame === "" ? "" : ` from ${frame}`;
  const what = isFile(memory)
    ? `reading ${memory}`
    : memory === ""
      ? "reading from a disk"
      : "reading back what was swapped out";
  return [
    {
      mechanism: "memory-pressure",
      kind: "resource",
      title: `${perSecond} major page faults a second, ${ms(ns)} of ${ms(wallNs)} of thread ${name}, ${what}${from}`,
      why: `Each stands still until its page is there: ${count(number)} faults of ${ms(ns / Math.max(1, number))} on average, one after the other.`,
      subject: { ...(frame === "" ? {} : { frame }), resource: isFile(memory) ? memory : "memory" },
      thread,
      gainNs: ns,
      lowNs: ns,
      highNs: ns,
      most: "critical",
      confidence: frame === "" ? 0.7 : 0.9,
      evidence: [
        {
          kind: "stack",
          text: `${count(number)} major page faults, ${ms(ns)}${frame === "" ? "" : `; ${percent(share)} of what touches ${memory === "" ? "it" : memory} in ${frame}`}, ${count(samples)} stacks`,
          query: again("--json"),
        },
      ],
      counter: isFile(memory) ? ["the first touch of a mapped file reads it also where there is memory enough"] : [],
      refutedBy: "no major page faults while it is as slow",
      remedy: {
        text: isFile(memory)
          ? `Have ${memory} read before it is touched (madvise with MADV_WILLNEED or MADV_POPULATE_READ, or read it in large pieces), or keep it in memory: more of it, or mlock.`
          : "Give the process more memory, or let it touch less of it: its pages are read back from the disk.",
      },
    },
  ];
}

function touching(one: MicroCase): MicroCause[] {
  const { recording, again } = one;
  const most = mostFaulting(one, "minor");
  if (most === undefined) return [];
  const [thread, ns] = most;
  const { tid, name, wallNs, cpuNs, faults } = thread.thread;
  const spent = Math.min(ns, cpuNs);
  if (spent <= 0 || wallNs <= 0 || spent < MIN_MINOR_SHARE * cpuNs) return [];
  const { text: frame, memory, share, samples } = placeOf(recording.faults, tid, "minor");
  const number = faults!.minor;
  const perSecond = count(Math.max(1, Math.round(number / (wallNs / NS_PER_S))));
  const { residentBytes } = recording.counters;
  const isChurn = residentBytes > 0 && number * PAGE_BYTES > CHURN_FACTOR * residentBytes && !isFile(memory);
  const about = isFile(memory) ? `touching ${memory}` : isChurn ? "allocation churn" : "touching new memory";
  const from = frame === "" ? "" : `, from ${frame}`;
  return [
    {
      mechanism: "slow-code",
      kind: "code",
      title: `${about}: ${perSecond} minor page faults a second cost ${percent(spent / cpuNs)} of the processor time of thread ${name}${from}`,
      why: `${count(Math.round(number))} faults of ${ms(ns / Math.max(1, number))} on average map ${bytes(number * PAGE_BYTES)} at least${residentBytes > 0 ? `, and the process has ${bytes(residentBytes)} in the end` : ""}${isChurn ? ": memory is given back to the kernel and taken anew" : ""}.`,
      subject: { ...(frame === "" ? {} : { frame }), resource: "memory" },
      thread,
      gainNs: spent,
      lowNs: spent,
      highNs: spent,
      most: "critical",
      confidence: frame === "" ? 0.6 : 0.8,
      evidence: [
        {
          kind: "stack",
          text: `${count(Math.round(number))} minor page faults, ${ms(ns)}${frame === "" ? "" : `; ${percent(share)} of those of ${memory === "" ? "the stacks" : memory} in ${frame}`}, ${count(samples)} stacks`,
          query: again("--json"),
        },
      ],
      counter: [
        "what entering and leaving the kernel takes, and giving the memory back, comes on top and is not in the gain",
      ],
      refutedBy: "the same processor time with few page faults",
      remedy: {
        text: isFile(memory)
          ? `Map ${memory} once and ahead (MAP_POPULATE), with larger pages, or read it into a buffer that is kept${within(frame)}.`
          : isChurn
            ? `Keep memory and use it again${within(frame)}: a buffer or a pool; or have the allocator keep it (glibc: M_MMAP_THRESHOLD and M_TRIM_THRESHOLD; MALLOC_TRIM_THRESHOLD_ and MALLOC_MMAP_THRESHOLD_ of the environment).`
            : `Touch less new memory${within(frame)}, or have it mapped ahead or in larger pages (MAP_POPULATE, transparent huge pages).`,
      },
    },
  ];
}

const within = (frame: string): string => (frame === "" ? "" : ` in ${frame}`);

function bytes(value: number): string {
  if (value >= 1e9) return `${count(Math.round(value / 1e8) / 10)} GB`;
  return value >= 1e6 ? `${count(Math.round(value / 1e6))} MB` : `${count(Math.round(value / 1e3))} kB`;
}
