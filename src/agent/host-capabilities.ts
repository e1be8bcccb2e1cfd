import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { checkHelper } from "./probe-helper.ts";
import { parseKallsyms } from "./kernel-symbols.ts";

/** By what something is seen, from the most to the least. */
export const RUNGS = ["helper", "bpftrace", "perf", "procfs", "none"] as const;
export type Rung = (typeof RUNGS)[number];

export interface Capability {
  readonly name: string;
  readonly rung: Rung;
  /** why it stands on no higher rung; "" on the highest */
  readonly why: string;
  /** what lifts it, to be pasted; "" where nothing can or has to */
  readonly mend: string;
}

/** The best rung of what the helper does, and what is left of it without. */
const BY_HELPER: readonly {
  readonly name: string;
  readonly probes: readonly string[];
  readonly below: "cpu" | "procfs" | "none";
}[] = [
  { name: "off-CPU times and stacks", probes: ["sched-switch", "sched-wakeup", "sched-wakeup-new"], below: "procfs" },
  { name: "on-CPU stacks", probes: ["on-cpu"], below: "cpu" },
  { name: "processes that a process starts", probes: ["process-fork", "process-exec"], below: "none" },
  { name: "block I/O latency", probes: ["block-io-issue", "block-io-done"], below: "none" },
  // Bytes of a process tells /proc/PID/io as well.
  { name: "block I/O by process", probes: ["block-io-begin", "block-io-done", "block-io-end"], below: "procfs" },
  { name: "TCP connects", probes: ["tcp-state"], below: "none" },
  { name: "TCP retransmits", probes: ["tcp-retransmit"], below: "none" },
  { name: "TCP resets", probes: ["tcp-reset-sent", "tcp-reset-received"], below: "none" },
  { name: "TCP connections that are open", probes: ["tcp-open"], below: "none" },
  // Their number alone tells /proc/PID/stat as well.
  {
    name: "page fault times and stacks",
    probes: ["page-fault-user", "page-fault-minor", "page-fault-major"],
    below: "procfs",
  },
  { name: "kernel lock contention", probes: ["kernel-lock-begin", "kernel-lock-end"], below: "none" },
];

const NOT_TOLD = "the helper does not tell of it";

/** What this host lets be collected. helper: its path. Attaches probes for a moment and takes them off again. */
export function hostCapabilities(helper: string): Capability[] {
  const check = checkHelper(helper);
  const perf = perfState();
  const below = (kind: "cpu" | "procfs" | "none"): Rung =>
    kind === "cpu" ? (perf.why === "" ? "perf" : "none") : kind;
  const byHelper = BY_HELPER.map(({ name, probes, below: kind }): Capability => {
    if (check.kind === "failed")
      return { name, rung: below(kind), why: check.why, mend: mendHelper(helper, check.why, check.isBuilt) };
    // Of a probe that the helper does not tell of, nothing good may be taken for granted.
    const missing = probes
      .map(
        (probe) => check.probes.find((told) => told.name === probe) ?? { name: probe, rung: "none", reason: NOT_TOLD },
      )
      .find((probe) => probe.rung === "none");
    if (missing === undefined) return { name, rung: "helper", why: "", mend: "" };
    return {
      name,
      rung: below(kind),
      why: `${missing.name}: ${missing.reason}`,
      mend: mendHelper(helper, missing.reason, true),
    };
  });
  return [...byHelper, kernelNames(), dynamicTracing(), { ...perf, name: "perf as the next best way" }, ...files()];
}

function mendHelper(helper: string, why: string, isBuilt: boolean): string {
  if (!isBuilt) return "npm run build:native";
  if (/BTF/.test(why))
    return "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y (all of Debian 11, Ubuntu 20.10, RHEL 8.2 and later)";
  if (/[Pp]ermi|EPERM|EACCES|refused/.test(why)) {
    return process.getuid?.() === 0
      ? "run it where CAP_BPF and CAP_PERFMON are granted: docker run --cap-add BPF --cap-add PERFMON --cap-add SYS_PTRACE --pid host"
      : `sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep ${helper}`;
  }
  return "";
}

const textOf = (path: string): string => {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
};

const runs = (command: string, args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: "ignore" }).status === 0;

function perfState(): Omit<Capability, "name"> {
  if (!runs("perf", ["--version"]))
    return { rung: "none", why: "perf is not installed", mend: "apt-get install linux-perf" };
  const probe = ["record", "-q", "-e", "cpu-clock", "-o", "/dev/null", "--", "true"];
  if (runs("perf", probe)) return { rung: "perf", why: "", mend: "" };
  const paranoid = textOf("/proc/sys/kernel/perf_event_paranoid");
  const why = `perf record is refused (kernel.perf_event_paranoid is ${paranoid || "not readable"})`;
  return { rung: "none", why, mend: Number(paranoid) > 1 ? "sudo sysctl kernel.perf_event_paranoid=1" : "" };
}

function kernelNames(): Capability {
  const name = "names of kernel functions";
  if (parseKallsyms(textOf("/proc/kallsyms").slice(0, 1 << 16)).count > 0)
    return { name, rung: "procfs", why: "", mend: "" };
  const restrict = textOf("/proc/sys/kernel/kptr_restrict");
  const why = `/proc/kallsyms hides addresses (kernel.kptr_restrict is ${restrict || "not readable"})`;
  return {
    name,
    rung: "none",
    why,
    mend: restrict === "0" ? "run as root, or with CAP_SYSLOG" : "sudo sysctl kernel.kptr_restrict=0",
  };
}

function dynamicTracing(): Capability {
  const name = "dynamic tracing";
  const rung = "none";
  if (!runs("bpftrace", ["--version"]))
    return { name, rung, why: "bpftrace is not installed", mend: "apt-get install bpftrace" };
  if (process.getuid?.() !== 0)
    return { name, rung, why: "bpftrace runs as root only", mend: "sudo longpole trace ..." };
  const hasFiles = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"].some((path) => existsSync(`${path}/events`));
  const why = hasFiles ? "" : "tracefs is not mounted; trace mounts it for itself alone";
  return { name, rung: "bpftrace", why, mend: hasFiles ? "" : "mount -t tracefs nodev /sys/kernel/tracing" };
}

/** What only takes reading files. */
function files(): Capability[] {
  const read = (name: string, has: boolean, why: string, mend: string): Capability =>
    has ? { name, rung: "procfs", why: "", mend: "" } : { name, rung: "none", why, mend };
  const scope = textOf("/proc/sys/kernel/yama/ptrace_scope");
  return [
    read(
      "run-queue times by thread",
      /^\d+ \d+/.test(textOf("/proc/self/schedstat")),
      "the kernel keeps no /proc/PID/schedstat",
      "boot a kernel built with CONFIG_SCHED_INFO=y",
    ),
    read(
      "pressure (PSI)",
      existsSync("/proc/pressure/cpu"),
      "the kernel keeps no /proc/pressure",
      "boot with psi=1 on a kernel built with CONFIG_PSI=y",
    ),
    read(
      "CPU quota and throttling",
      hasThrottling(),
      "no control group of the processor is to be seen",
      "mount -t cgroup2 none /sys/fs/cgroup",
    ),
    read(
      "processes of other users",
      canSeeOthers(),
      `needs CAP_SYS_PTRACE${scope === "" || scope === "0" ? "" : ` (kernel.yama.ptrace_scope is ${scope})`}`,
      // Not by a capability of node's file: every script of every user would have it.
      "run as root; longpole agent sees them by the rights of its helper alone (docs/agent.md)",
    ),
  ];
}

function hasThrottling(): boolean {
  return ["/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpu/cpu.stat", "/sys/fs/cgroup/cpu,cpuacct/cpu.stat"].some(
    (path) => existsSync(path),
  );
}

/** Bit 19 of the effective capabilities. */
function canSeeOthers(): boolean {
  const mask = /^CapEff:\s+([\da-f]+)$/m.exec(textOf("/proc/self/status"))?.[1] ?? "0";
  return ((BigInt(`0x${mask}`) >> 19n) & 1n) === 1n && readdirSync("/proc").includes("1");
}
