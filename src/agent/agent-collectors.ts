import type { ProbeService } from "./continuous/probe-service.ts";
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

/** What the host lets be collected, corrected by what the agent does with it now. */
export function agentCollectors(
  capabilities: readonly Capability[],
  probes: Pick<ProbeService, "shed" | "failed" | "isCostWhole" | "leftOut"> | undefined,
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
    if (name !== OFF_CPU && name !== ON_CPU) return capability;
    if (probes === undefined)
      return capability.rung === "helper"
        ? {
            name,
            rung: "none",
            why: "the agent was started without probes",
            mend: "longpole agent without --no-probes",
          }
        : // Only the helper goes on all the time.
          { ...capability, rung: "none" };
    if (probes.failed !== "")
      return {
        name,
        rung: "none",
        why: `the helper has ended: ${probes.failed}`,
        mend: "systemctl restart longpole-agent",
      };
    if (name === ON_CPU)
      return probes.shed.has("on-CPU stacks") ? { name, rung: "shed", why: GIVEN_UP, mend: MORE } : capability;
    if (probes.shed.has("off-CPU times")) return { name, rung: "shed", why: GIVEN_UP, mend: MORE };
    const without = probes.shed.has("off-CPU stacks") ? `times without stacks: ${GIVEN_UP}` : "";
    const leftOut = probes.leftOut === 0 ? "" : `${probes.leftOut} processes are not watched: there are too many`;
    const why = [without, leftOut].filter((text) => text !== "").join("; ");
    return why === ""
      ? capability
      : { ...capability, rung: without === "" ? capability.rung : "shed", why, mend: MORE };
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
