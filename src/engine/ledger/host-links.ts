import type { ProcessLedger } from "../../model/process-ledger.ts";
import type { LedgerKind } from "../../model/record-report.ts";
import type { ChainLink, Evidence, Finding, Mechanism } from "../../model/report.ts";
import type { Window } from "../window.ts";
import { count, percent } from "../wording.ts";
import { processesOfSpans } from "./services-of-ledgers.ts";

/** Kinds of thread time that a mechanism shows in, and how that is said. */
const SHOWS: Partial<Record<Mechanism, readonly (readonly [LedgerKind, string])[]>> = {
  "noisy-neighbour": [["runnable", "ready to run, but without a processor"]],
  "run-queue": [["runnable", "ready to run, but without a processor"]],
  "cpu-saturated": [
    ["cpu", "on the processor"],
    ["runnable", "ready to run, but without one"],
  ],
  "cpu-throttled": [
    ["throttled", "held back by the quota"],
    ["cpu", "on the processor"],
  ],
  "disk-saturated": [["disk", "waiting for the disk"]],
  fsync: [["disk", "waiting for the disk"]],
  "lock-contention": [["lock", "waiting for a lock"]],
};

/** Mechanisms that somebody else's work is a part of. */
const BY_OTHERS: ReadonlySet<Mechanism> = new Set(["noisy-neighbour", "run-queue", "cpu-saturated"]);

/** Kinds that the kernel counts to the nanosecond; of those it sees nothing where there is nothing. */
const COUNTED: ReadonlySet<LedgerKind> = new Set(["runnable", "throttled", "disk", "lock"]);
/** Of recordings that see waits at all: /proc alone tells processor times only. */
const hasWaits = (ledgers: readonly ProcessLedger[]): boolean =>
  ledgers.some(({ threads }) =>
    threads.some(({ times }) => times.some(({ kind }) => kind === "network" || kind === "sleep")),
  );

/** A share of the thread's time below which the host does not confirm anything. */
const SEEN = 0.01;
/** Fewer preemptions name nobody. */
const FEWEST = 20;
const MOST_TAKERS = 3;

/**
 * Findings with what the host saw of the same: the busiest thread's time in the kinds that the mechanism shows in, and who got the
 * processor instead. Where the host was looked at and shows nothing of it, that speaks against the finding.
 * recorded: by service, as `matchLedgers` tells.
 */
export function withHostLinks(
  findings: readonly Finding[],
  recorded: ReadonlyMap<string, readonly ProcessLedger[]>,
  window: Window,
): Finding[] {
  if (recorded.size === 0) return [...findings];
  return findings.map((finding) => {
    // A note is a hint that nothing has to confirm.
    if (finding.severity === "note") return finding;
    const shows = SHOWS[finding.mechanism];
    if (shows === undefined) return finding;
    const ledgers = ledgersOf(finding, recorded, window);
    if (ledgers.length === 0) return finding;
    const busiest = busiestThread(ledgers, recorded);
    if (busiest === undefined) return finding;
    const seen = shows.flatMap(([kind, words]) => {
      const share = shareOf(busiest, kind);
      return share >= SEEN ? [`${percent(share)} ${words}`] : [];
    });
    const named = BY_OTHERS.has(finding.mechanism) ? takersOf(ledgers, recorded) : undefined;
    if (seen.length === 0 && named === undefined) {
      const [kind, words] = shows[0]!;
      return COUNTED.has(kind) && hasWaits(ledgers) ? doubted(finding, words, busiest) : finding;
    }
    const thread = `thread ${busiest.thread.name} of ${busiest.of}`;
    const text = `${seen.length === 0 ? thread : `${thread}: ${seen.join(", ")}`}${named === undefined ? "" : `; ${named}`}`;
    return withLink(finding, text, busiest.source);
  });
}

/** Of a host all of its services' recordings; of a service its own. */
function ledgersOf(
  { subject }: Finding,
  recorded: ReadonlyMap<string, readonly ProcessLedger[]>,
  window: Window,
): readonly ProcessLedger[] {
  const own = recorded.get(subject.service);
  if (own !== undefined) return own;
  const there = processesOfSpans(window).filter(({ host }) => host !== "" && host === subject.service);
  return [...new Set(there.map(({ service }) => service))].flatMap((service) => recorded.get(service) ?? []);
}

interface Busiest {
  readonly thread: ProcessLedger["threads"][number];
  readonly of: string;
  readonly source: string;
}

const DOING: ReadonlySet<LedgerKind> = new Set(["cpu", "gc", "runnable", "throttled", "lock", "disk"]);

function busiestThread(
  ledgers: readonly ProcessLedger[],
  recorded: ReadonlyMap<string, readonly ProcessLedger[]>,
): Busiest | undefined {
  let found: Busiest | undefined;
  let most = 0;
  for (const ledger of ledgers) {
    const { threads, source } = ledger;
    const of = [...recorded].find(([, all]) => all.includes(ledger))?.[0] ?? ledger.name;
    for (const thread of threads) {
      const busy = thread.times.reduce((sum, { kind, ns, idleNs }) => sum + (DOING.has(kind) ? ns - idleNs : 0), 0);
      if (!(thread.wallNs > 0) || busy / thread.wallNs <= most) continue;
      most = busy / thread.wallNs;
      found = { thread, of, source };
    }
  }
  return found;
}

const shareOf = ({ thread }: Busiest, wanted: LedgerKind): number =>
  thread.times.reduce((sum, { kind, ns, idleNs }) => sum + (kind === wanted ? ns - idleNs : 0), 0) / thread.wallNs;

/** "the processor went to stress (pid 4711) in 64 % of 1,204 preemptions"; undefined where too few were counted. */
function takersOf(
  ledgers: readonly ProcessLedger[],
  recorded: ReadonlyMap<string, readonly ProcessLedger[]>,
): string | undefined {
  const sums = new Map<string, number>();
  const services = new Map([...recorded].flatMap(([service, of]) => of.map(({ pid }) => [pid, service] as const)));
  let total = 0;
  for (const { preemptedBy } of ledgers) {
    for (const { pid, name, count: times } of preemptedBy) {
      const service = services.get(pid);
      const who = service === undefined ? `${name || "a process"} (pid ${pid})` : service;
      sums.set(who, (sums.get(who) ?? 0) + times);
      total += times;
    }
  }
  if (total < FEWEST) return undefined;
  const takers = [...sums].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, MOST_TAKERS);
  const parts = takers.map(([who, times]) => `${who} ${percent(times / total)}`);
  return `who got the processor when it was taken away: ${parts.join(", ")} of ${count(total)} times`;
}

function withLink(finding: Finding, text: string, source: string): Finding {
  const at = finding.evidence.length;
  const link: ChainLink = { claim: text, evidence: [at] };
  const evidence: Evidence = {
    kind: "statistic",
    text: `${text} (${source.slice(source.lastIndexOf("/") + 1)})`,
    query: "longpole record -p PID --json: recording.threads, recording.preemptedBy",
  };
  return { ...finding, chain: [...finding.chain, link], evidence: [...finding.evidence, evidence] };
}

function doubted(finding: Finding, words: string, { thread, of }: Busiest): Finding {
  const text = `the host shows nothing of it: thread ${thread.name} of ${of} was ${words} for less than ${percent(SEEN)} of the time while it was looked at`;
  return { ...finding, counter: [...finding.counter, text] };
}
