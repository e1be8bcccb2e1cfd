import type { WorkClass } from "../../analysis/work-class.ts";
import type { ProcessLedger } from "../../model/process-ledger.ts";
import type { SyscallRow } from "../../model/record-report.ts";
import type { Evidence, Mechanism } from "../../model/report.ts";
import type { Claim } from "../findings.ts";
import { count, ms, percent } from "../wording.ts";

/** System calls that a kind of work is made of. */
const CALLS: Partial<Record<WorkClass, RegExp>> = {
  fsync: /^(?:f(?:data)?sync|sync_file_range|msync|sync(?:fs)?)$/,
  write: /^p?writev?(?:64)?2?$/,
  read: /^p?readv?(?:64)?2?$/,
};

const WORK_OF: Partial<Record<Mechanism, readonly WorkClass[]>> = {
  fsync: ["fsync"],
  "excessive-syscalls": ["write", "read"],
};

/** Of one processor; what takes less is no path worth a line. */
const MIN_SHARE = 0.005;

/** A system call of a service's processes, per second of the time that they were looked at. */
interface CallCost extends Pick<SyscallRow, "syscall" | "frame" | "kernelPath"> {
  readonly cpuShare: number;
  readonly waitShare: number;
  readonly waitsPerSecond: number;
  readonly source: string;
}

/** Claims about system calls, with what the kernel did in them, where a recording of the service's threads tells. */
export function withKernelPaths(
  claims: readonly Claim[],
  recorded: ReadonlyMap<string, readonly ProcessLedger[]>,
): Claim[] {
  return claims.map((claim) => {
    const { explanation } = claim;
    const ledgers = recorded.get(explanation.subject.service);
    const works = WORK_OF[explanation.mechanism];
    if (ledgers === undefined || works === undefined || explanation.subject.syscall !== undefined) return claim;
    const cost = callCosts(ledgers).find(({ syscall }) => works.some((work) => CALLS[work]!.test(syscall)));
    if (cost === undefined) return claim;
    const evidence = kernelEvidence(explanation.subject.service, cost);
    return {
      ...claim,
      explanation: {
        ...explanation,
        subject: { ...explanation.subject, syscall: cost.syscall },
        chain: [...explanation.chain, { claim: pathText(cost), evidence: [explanation.evidence.length] }],
        evidence: [...explanation.evidence, evidence],
        // What a profile cannot tell, the recording does.
        counter: explanation.counter.filter(
          (text) => !text.startsWith("a profile tells time, not the number of calls"),
        ),
      },
    };
  });
}

/** System calls of all processes of a service together, most first. */
function callCosts(ledgers: readonly ProcessLedger[]): CallCost[] {
  const sums = new Map<
    string,
    { cpuMs: number; waitMs: number; waits: number; heaviest: SyscallRow; source: string }
  >();
  const lengthMs = ledgers.reduce((sum, { durationNs }) => sum + durationNs / 1e6, 0) / ledgers.length;
  for (const { syscalls, source } of ledgers) {
    for (const row of syscalls) {
      const held = sums.get(row.syscall);
      if (held === undefined) {
        sums.set(row.syscall, { cpuMs: row.cpuMs, waitMs: row.waitMs, waits: row.waits, heaviest: row, source });
        continue;
      }
      held.cpuMs += row.cpuMs;
      held.waitMs += row.waitMs;
      held.waits += row.waits;
      if (row.cpuMs + row.waitMs > held.heaviest.cpuMs + held.heaviest.waitMs) held.heaviest = row;
    }
  }
  return [...sums]
    .map(([syscall, { cpuMs, waitMs, waits, heaviest, source }]) => ({
      syscall,
      frame: heaviest.frame,
      kernelPath: heaviest.kernelPath,
      cpuShare: cpuMs / lengthMs,
      waitShare: waitMs / lengthMs,
      waitsPerSecond: (1000 * waits) / lengthMs,
      source,
    }))
    .filter(({ cpuShare, waitShare }) => cpuShare + waitShare >= MIN_SHARE)
    .sort((a, b) => b.cpuShare + b.waitShare - a.cpuShare - a.waitShare || (a.syscall < b.syscall ? -1 : 1));
}

/** "in the kernel write computes for 8 % of a processor, in ksys_write → vfs_write → ext4_file_write_iter". */
function pathText({ syscall, kernelPath, cpuShare, waitShare, waitsPerSecond }: CallCost): string {
  const parts = [
    ...(cpuShare >= MIN_SHARE / 2 ? [`computes for ${percent(cpuShare)} of a processor`] : []),
    ...(waitShare >= MIN_SHARE / 2
      ? [`waits for ${percent(waitShare)} of the time (${count(Math.round(waitsPerSecond))} waits a second)`]
      : []),
  ];
  const path = kernelPath.length === 0 ? "" : `, in ${kernelPath.join(" → ")}`;
  return `in the kernel ${syscall} ${parts.join(" and ")}${path}`;
}

function kernelEvidence(service: string, cost: CallCost): Evidence {
  const file = cost.source.slice(cost.source.lastIndexOf("/") + 1);
  const each =
    cost.waitsPerSecond > 0 && cost.waitShare > 0
      ? `, ${ms((1e9 * cost.waitShare) / cost.waitsPerSecond)} each wait`
      : "";
  return {
    kind: "stack",
    text: `${pathText(cost)}${each} (${file})`,
    query: `longpole record -p PID_OF_${service.replace(/\W+/g, "_").toUpperCase()} --off-cpu --folded | grep ${cost.syscall}`,
  };
}
