import { expect, test } from "vitest";
import { agentCollectors } from "./agent-collectors.ts";
import { PROBE_SHED_ORDER, type ShedProbe } from "./continuous/probe-service.ts";
import type { Capability } from "./host-capabilities.ts";

const helper = (name: string): Capability => ({ name, rung: "helper", why: "", mend: "" });
const CAPABILITIES = [
  helper("off-CPU times and stacks"),
  helper("on-CPU stacks"),
  helper("block I/O by process"),
  helper("TCP resets"),
  helper("kernel lock contention"),
  helper("page fault times and stacks"),
  helper("names of kernel functions"),
];

function rungs(
  probes:
    | { shed?: readonly ShedProbe[]; failed?: string; refused?: Readonly<Record<string, string>>; lostCounts?: number }
    | undefined,
): Record<string, string> {
  const { shed = [], failed = "", refused = {}, lostCounts = 0 } = probes ?? {};
  const state = {
    shed: new Set(shed),
    failed,
    lostCounts,
    isCostWhole: true,
    leftOut: 0,
    notAttached: (name: string) => refused[name],
  };
  const told = agentCollectors(CAPABILITIES, probes === undefined ? undefined : state, 1);
  return Object.fromEntries(told.slice(1).map(({ name, rung, why }) => [name, `${rung} ${why}`.trim()]));
}

const ALL = Object.fromEntries(CAPABILITIES.map(({ name }) => [name, "helper"]));

test("probes that count are given up before those that tell who waits, and say so", () => {
  expect(PROBE_SHED_ORDER.slice(0, 4)).toEqual(["page faults", "kernel locks", "TCP", "block I/O"]);
  expect(rungs({})).toEqual(ALL);
  const shed = "shed given up to stay within the agent's budget";
  expect(rungs({ shed: ["page faults", "kernel locks", "TCP"] })).toEqual({
    ...ALL,
    "page fault times and stacks": shed,
    "TCP resets": shed,
    "kernel lock contention": shed,
  });
});

test("a probe that does not stand is not observed, for its own reason; what overflowed is said of all that count", () => {
  expect(rungs({ refused: { "tcp-reset-received": "this kernel has no such tracepoint" } })).toEqual({
    ...ALL,
    "TCP resets": "none tcp-reset-received: this kernel has no such tracepoint",
  });
  const lost = "helper 7 times something was not counted: the kernel's tables were full";
  expect(rungs({ lostCounts: 7 })).toEqual({
    ...ALL,
    "block I/O by process": lost,
    "TCP resets": lost,
    "kernel lock contention": lost,
    "page fault times and stacks": lost,
  });
});

test("without the helper nothing of it is observed", () => {
  const ended = rungs({ failed: "it ended with SIGKILL" });
  for (const name of ["off-CPU times and stacks", "block I/O by process", "kernel lock contention"])
    expect(ended[name]).toBe("none the helper has ended: it ended with SIGKILL");
  expect(rungs(undefined)["TCP resets"]).toBe("none the agent was started without probes");
});
