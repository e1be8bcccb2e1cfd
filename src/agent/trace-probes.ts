/** A probe that is ready to be used by name. */
export interface TraceProbe {
  readonly name: string;
  /** what is measured, in words */
  readonly title: string;
  readonly unit: "nanoseconds" | "count";
  /** whether it can look at one process alone */
  readonly takesPid: boolean;
  /** what the keys of its histograms are: numbers of system calls have to be named */
  readonly keys: "none" | "syscall" | "text";
  /** probes that bpftrace has to attach; fewer means that this host lacks one */
  readonly attaches: number;
  /** hits a second from which on it takes itself off */
  readonly maxHitsPerSecond: number;
  /** the bpftrace program, without its beginning and end; `filter` is "" or a condition such as "/pid == 4711/" */
  readonly program: (filter: string) => string;
}

/** A tracepoint costs below 1 µs a hit: so many take a tenth of a core. */
const TRACEPOINT_HITS = 200_000;
/** A uprobe costs some 10 µs a hit, twice where the return is seen too. */
const UPROBE_HITS = 10_000;

/** Time from entry to exit of system calls; `keyed`: what tells them apart. */
const between = (enter: string, leave: string, filter: string, key: string): string => `
${enter} ${filter} { @begun[tid] = nsecs; @hits++; }
${leave} /@begun[tid]/ { @ns${key} = hist(nsecs - @begun[tid]); delete(@begun[tid]); }`;

const ofCalls =
  (...names: readonly string[]) =>
  (filter: string): string =>
    between(
      names.map((name) => `tracepoint:syscalls:sys_enter_${name}`).join(", "),
      names.map((name) => `tracepoint:syscalls:sys_exit_${name}`).join(", "),
      filter,
      "[comm]",
    );

const READY: readonly TraceProbe[] = [
  {
    name: "syscalls",
    title: "time in system calls, by call",
    unit: "nanoseconds",
    takesPid: true,
    keys: "syscall",
    attaches: 2,
    maxHitsPerSecond: TRACEPOINT_HITS,
    program: (filter) =>
      between("tracepoint:raw_syscalls:sys_enter", "tracepoint:raw_syscalls:sys_exit", filter, "[args->id]"),
  },
  {
    name: "fsync",
    title: "time in fsync and fdatasync, by program",
    unit: "nanoseconds",
    takesPid: true,
    keys: "text",
    attaches: 4,
    maxHitsPerSecond: TRACEPOINT_HITS,
    program: ofCalls("fsync", "fdatasync"),
  },
  {
    name: "futex",
    title: "time in futex (locks and waits for work), by program",
    unit: "nanoseconds",
    takesPid: true,
    keys: "text",
    attaches: 2,
    maxHitsPerSecond: TRACEPOINT_HITS,
    program: ofCalls("futex"),
  },
  {
    name: "block-io",
    title: "latency of disks, by kind of request",
    unit: "nanoseconds",
    takesPid: false,
    keys: "text",
    attaches: 2,
    maxHitsPerSecond: TRACEPOINT_HITS,
    program: () => `
tracepoint:block:block_rq_issue { @begun[args->dev, args->sector] = nsecs; @hits++; }
tracepoint:block:block_rq_complete /@begun[args->dev, args->sector]/ {
  @ns[args->rwbs] = hist(nsecs - @begun[args->dev, args->sector]);
  delete(@begun[args->dev, args->sector]);
}`,
  },
  {
    name: "run-queue",
    title: "wait for a processor of threads that are ready",
    unit: "nanoseconds",
    takesPid: false,
    keys: "none",
    attaches: 3,
    maxHitsPerSecond: TRACEPOINT_HITS,
    program: () => `
tracepoint:sched:sched_wakeup, tracepoint:sched:sched_wakeup_new { @begun[args->pid] = nsecs; }
tracepoint:sched:sched_switch {
  @hits++;
  if (args->prev_state == 0) { @begun[args->prev_pid] = nsecs; }
  if (@begun[args->next_pid]) { @ns = hist(nsecs - @begun[args->next_pid]); delete(@begun[args->next_pid]); }
}`,
  },
  {
    name: "tcp-connect",
    title: "time until a TCP connection stands",
    unit: "nanoseconds",
    takesPid: false,
    keys: "none",
    attaches: 1,
    maxHitsPerSecond: TRACEPOINT_HITS,
    // TCP_SYN_SENT is 2; a connection that fails is counted with the time until then.
    program: () => `
tracepoint:sock:inet_sock_set_state {
  if (args->newstate == 2) { @begun[args->skaddr] = nsecs; @hits++; }
  if (args->oldstate == 2 && @begun[args->skaddr]) {
    @ns = hist(nsecs - @begun[args->skaddr]);
    delete(@begun[args->skaddr]);
  }
}`,
  },
  {
    name: "tcp-retransmit",
    title: "TCP segments sent again, by local port",
    unit: "count",
    takesPid: false,
    keys: "text",
    attaches: 1,
    maxHitsPerSecond: TRACEPOINT_HITS,
    program: () => `tracepoint:tcp:tcp_retransmit_skb { @hits++; @ns[args->sport] = count(); }`,
  },
  {
    name: "page-faults",
    title: "page faults, by program",
    unit: "count",
    takesPid: true,
    keys: "text",
    attaches: 1,
    maxHitsPerSecond: TRACEPOINT_HITS,
    program: (filter) => `software:page-faults:1 ${filter} { @hits++; @ns[comm] = count(); }`,
  },
];

/** The ready probes, and what `syscall:NAME` and `uprobe:FILE:FUNCTION` stand for. */
export function readyProbes(): readonly TraceProbe[] {
  return READY;
}

/** The probe of a name, or what is wrong with the name. */
export function probeNamed(name: string): TraceProbe | { readonly wrong: string } {
  const ready = READY.find((probe) => probe.name === name);
  if (ready !== undefined) return ready;
  const call = /^syscall:([a-z0-9_]+)$/.exec(name);
  if (call !== null) {
    return {
      name,
      title: `time in the system call ${call[1]!}, by program`,
      unit: "nanoseconds",
      takesPid: true,
      keys: "text",
      attaches: 2,
      maxHitsPerSecond: TRACEPOINT_HITS,
      program: ofCalls(call[1]!),
    };
  }
  const uprobe = /^uprobe:(\/[^\s:"{}]+):([\w$.:~<>*&()]+)$/.exec(name);
  if (uprobe !== null) {
    const at = `${uprobe[1]!}:${/^\w+$/.test(uprobe[2]!) ? uprobe[2]! : `"${uprobe[2]!}"`}`;
    return {
      name,
      title: `time in ${uprobe[2]!} of ${uprobe[1]!}`,
      unit: "nanoseconds",
      takesPid: true,
      keys: "none",
      attaches: 2,
      maxHitsPerSecond: UPROBE_HITS,
      program: (filter) => between(`uprobe:${at}`, `uretprobe:${at}`, filter, ""),
    };
  }
  const known = [...READY.map((probe) => probe.name), "syscall:NAME", "uprobe:/PATH:FUNCTION"].join(", ");
  return { wrong: `no probe is named "${name}"; there are ${known}, and any bpftrace program in braces` };
}

/** Times that a probe's hits are looked at in a second, before there are too many. */
const LOOKS_PER_SECOND = 5;

/** The whole program: the probe, its totals every second, and its ends, by time and by too many hits. */
export function traceProgram(
  probe: TraceProbe,
  pid: number | undefined,
  seconds: number,
  maxHitsPerSecond: number,
): string {
  const most = Math.ceil(maxHitsPerSecond / LOOKS_PER_SECOND);
  return `BEGIN { @hits = 0; @before = 0; }
${probe.program(pid === undefined ? "" : `/pid == ${pid}/`)}
interval:s:1 { print(@ns); printf("hits %d\\n", @hits); }
interval:ms:${1000 / LOOKS_PER_SECOND} {
  if (@hits - @before > ${most}) { printf("limit %d\\n", @hits); exit(); }
  @before = @hits;
}
interval:s:${seconds} { printf("hits %d\\n", @hits); exit(); }
`;
}

/** Of BEGIN, which bpftrace counts with the others, and the three intervals. */
export const OWN_PROBES = 4;
