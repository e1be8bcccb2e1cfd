import type { ProbeService } from "./continuous/probe-service.ts";
import type { CountGroup } from "./continuous/process-counts.ts";
import type { Capability, Rung } from "./host-capabilities.ts";

/** A collector of the agent: as `longpole doctor` tells, or given up to stay within the budget. */
export interface AgentCollector {
  readonly name: string;
  readonly rung: Rung | "shed";
  readonly why: string;
  readonly mend: string;
}

const GIVEN_UP = "given up to stay within the agent's budget";
const MORE = "longpole agent with a higher --cpu-budget or --memory-budget";

/** Names of the capabilities that the agent's probes are made of. */
const OFF_CPU = "off-CPU times and stacks";
const ON_CPU = "on-CPU stacks";
/** Those that count, by what is given up with them and the helper's names for the probes. */
const COUNTED: ReadonlyMap<string, { readonly group: CountGroup; readonly probes: readonly string[] }> = new Map([
  ["block I/O by process", { group: "block I/O", probes: ["block-io-begin", "block-io-done", "block-io-end"] }],
  ["TCP connects", { group: "TCP", probes: ["tcp-state", "tcp-end"] }],
  ["TCP retransmits", { group: "TCP", probes: ["tcp-retransmit", "tcp-state", "tcp-end"] }],
  ["TCP resets", { group: "TCP", probes: ["tcp-reset-sent", "tcp-reset-received", "tcp-state", "tcp-end"] }],
  ["TCP connections that are open", { group: "TCP", probes: ["tcp-open"] }],
  [
    "page fault times and stacks",
    { group: "page faults", probes: ["page-fault-user", "page-fault-minor", "page-fault-major"] },
  ],
  ["kernel lock contention", { group: "kernel locks", probes: ["kernel-lock-begin", "kernel-lock-end"] }],
]);

type AgentProbes = Pick<ProbeService, "shed" | "failed" | "isCostWhole" | "leftOut" | "lostCounts" | "notAttached">;

/** What the host lets be collected, corrected by what the agent does with it now. */
export function agentCollectors(
  capabilities: readonly Capability[],
  probes: AgentProbes | undefined,
  slowness: number,
): AgentCollector[] {
  const counters: AgentCollector = {
    name: "counters of the machine, processes and containers",
    rung: "procfs",
    why: slowness > 1 ? `every ${slowness}th time: ${GIVEN_UP}` : "",
    mend: slowness > 1 ? MORE : "",
  };
  const own = capabilities.map((capability): AgentCollector => {
    const { name } = capability;
    return name === OFF_CPU || name === ON_CPU || COUNTED.has(name) ? ofProbes(capability, probes) : capability;
  });
  const cost: AgentCollector[] =
    probes === undefined || probes.isCostWhole || probes.failed !== ""
      ? []
      : [
          {
            name: "cost of the probes in the kernel",
            rung: "none",
            why: "counting what programs of the kernel take needs CAP_SYS_ADMIN: the budget is held without it",
            mend: "sudo sysctl kernel.bpf_stats_enabled=1",
          },
        ];
  return [counters, ...own, ...cost];
}

function ofProbes(capability: Capability, probes: AgentProbes | undefined): AgentCollector {
  const { name } = capability;
  if (probes === undefined)
    return capability.rung === "helper"
      ? { name, rung: "none", why: "the agent was started without probes", mend: "longpole agent without --no-probes" }
      : // Only the helper goes on all the time.
        { ...capability, rung: "none" };
  if (probes.failed !== "")
    return {
      name,
      rung: "none",
      why: `the helper has ended: ${probes.failed}`,
      mend: "systemctl restart longpole-agent",
    };
  const counted = COUNTED.get(name);
  if (counted !== undefined) return ofCounts(capability, counted, probes);
  if (name === ON_CPU)
    return probes.shed.has("on-CPU stacks") ? { name, rung: "shed", why: GIVEN_UP, mend: MORE } : capability;
  if (probes.shed.has("off-CPU times")) return { name, rung: "shed", why: GIVEN_UP, mend: MORE };
  const without = probes.shed.has("off-CPU stacks") ? `times without stacks: ${GIVEN_UP}` : "";
  const leftOut = probes.leftOut === 0 ? "" : `${probes.leftOut} processes are not watched: there are too many`;
  const why = [without, leftOut].filter((text) => text !== "").join("; ");
  return why === "" ? capability : { ...capability, rung: without === "" ? capability.rung : "shed", why, mend: MORE };
}

function ofCounts(
  capability: Capability,
  { group, probes: names }: { readonly group: CountGroup; readonly probes: readonly string[] },
  probes: AgentProbes,
): AgentCollector {
  const { name } = capability;
  if (probes.shed.has(group)) return { name, rung: "shed", why: GIVEN_UP, mend: MORE };
  const [missing] = names.flatMap((probe) => {
    const reason = probes.notAttached(probe);
    return reason === undefined ? [] : [`${probe}: ${reason}`];
  });
  if (missing !== undefined) return { name, rung: "none", why: missing, mend: capability.mend };
  return probes.lostCounts === 0
    ? capability
    : { ...capability, why: `${probes.lostCounts} times something was not counted: the kernel's tables were full` };
}
