/*
 * Names of the OpenTelemetry semantic conventions (system, process, container, 1.30 and later) where there is one;
 * `system.linux.*` for what only Linux counts, `longpole.*` for what only this agent tells.
 */

export const SYSTEM = {
  cpuTime: { name: "system.cpu.time", unit: "s", kind: "counter" },
  cpuCount: { name: "system.cpu.logical.count", unit: "{cpu}", kind: "amount" },
  load1m: { name: "system.cpu.load_average.1m", unit: "{thread}", kind: "level" },
  running: { name: "system.linux.threads.running", unit: "{thread}", kind: "level" },
  blocked: { name: "system.linux.threads.blocked", unit: "{thread}", kind: "level" },
  forks: { name: "system.process.created", unit: "{process}", kind: "counter" },
  switches: { name: "system.linux.context_switches", unit: "{context_switch}", kind: "counter" },
  memoryUsage: { name: "system.memory.usage", unit: "By", kind: "amount" },
  memoryLimit: { name: "system.memory.limit", unit: "By", kind: "amount" },
  memoryUtilization: { name: "system.memory.utilization", unit: "1", kind: "level" },
  memoryAvailable: { name: "system.linux.memory.available", unit: "By", kind: "amount" },
  pagingUsage: { name: "system.paging.usage", unit: "By", kind: "amount" },
  pagingUtilization: { name: "system.paging.utilization", unit: "1", kind: "level" },
  pagingFaults: { name: "system.paging.faults", unit: "{fault}", kind: "counter" },
  pagingOperations: { name: "system.paging.operations", unit: "{operation}", kind: "counter" },
  oomKills: { name: "system.linux.memory.oom_kills", unit: "{process}", kind: "counter" },
  diskIo: { name: "system.disk.io", unit: "By", kind: "counter" },
  diskOperations: { name: "system.disk.operations", unit: "{operation}", kind: "counter" },
  diskIoTime: { name: "system.disk.io_time", unit: "s", kind: "counter" },
  diskOperationTime: { name: "system.disk.operation_time", unit: "s", kind: "counter" },
  filesystemUsage: { name: "system.filesystem.usage", unit: "By", kind: "amount" },
  filesystemUtilization: { name: "system.filesystem.utilization", unit: "1", kind: "level" },
  networkIo: { name: "system.network.io", unit: "By", kind: "counter" },
  networkErrors: { name: "system.network.errors", unit: "{error}", kind: "counter" },
  networkDropped: { name: "system.network.packet.dropped", unit: "{packet}", kind: "counter" },
  connections: { name: "system.network.connection.count", unit: "{connection}", kind: "amount" },
  tcpSent: { name: "system.linux.tcp.segments.sent", unit: "{segment}", kind: "counter" },
  tcpRetransmits: { name: "system.linux.tcp.retransmits", unit: "{segment}", kind: "counter" },
  listenOverflows: { name: "system.linux.tcp.listen_overflows", unit: "{connection}", kind: "counter" },
  listenDrops: { name: "system.linux.tcp.listen_drops", unit: "{connection}", kind: "counter" },
  softnetDropped: { name: "system.linux.softnet.dropped", unit: "{packet}", kind: "counter" },
  softnetSqueezed: { name: "system.linux.softnet.squeezed", unit: "{time}", kind: "counter" },
  filesOpen: { name: "system.linux.files.open", unit: "{file}", kind: "amount" },
  filesMax: { name: "system.linux.files.most", unit: "{file}", kind: "amount" },
  pressure: { name: "system.linux.pressure.stall_time", unit: "s", kind: "counter" },
} as const;

export const PROCESS = {
  cpuTime: { name: "process.cpu.time", unit: "s", kind: "counter" },
  memoryUsage: { name: "process.memory.usage", unit: "By", kind: "amount" },
  memoryVirtual: { name: "process.memory.virtual", unit: "By", kind: "amount" },
  memorySwapped: { name: "process.linux.memory.swapped", unit: "By", kind: "amount" },
  threads: { name: "process.thread.count", unit: "{thread}", kind: "amount" },
  switches: { name: "process.context_switches", unit: "{context_switch}", kind: "counter" },
  faults: { name: "process.paging.faults", unit: "{fault}", kind: "counter" },
  diskIo: { name: "process.disk.io", unit: "By", kind: "counter" },
  descriptors: { name: "process.unix.file_descriptor.count", unit: "{file_descriptor}", kind: "amount" },
  descriptorLimit: { name: "process.unix.file_descriptor.limit", unit: "{file_descriptor}", kind: "amount" },
  uptime: { name: "process.uptime", unit: "s", kind: "level" },
  /** what threads waited for a processor, where no probe counts it */
  cpuWait: { name: "process.linux.cpu.wait_time", unit: "s", kind: "counter" },
  /** by longpole.time.kind: what the threads of the process spent the time on */
  time: { name: "longpole.process.time", unit: "s", kind: "counter" },
  /** what follows is counted by probes, since the process is watched */
  blockIo: { name: "longpole.process.block_io.io", unit: "By", kind: "counter" },
  blockDuration: { name: "longpole.process.block_io.duration", unit: "s", kind: "distribution" },
  connectDuration: { name: "longpole.process.tcp.connect.duration", unit: "s", kind: "distribution" },
  tcpRetransmits: { name: "longpole.process.tcp.retransmits", unit: "{segment}", kind: "counter" },
  tcpResets: { name: "longpole.process.tcp.resets", unit: "{reset}", kind: "counter" },
  tcpOpen: { name: "longpole.process.tcp.connection.count", unit: "{connection}", kind: "amount" },
  tcpRoundTrip: { name: "longpole.process.tcp.round_trip", unit: "s", kind: "level" },
  faultDuration: { name: "longpole.process.page_fault.duration", unit: "s", kind: "distribution" },
  kernelLockDuration: { name: "longpole.process.kernel_lock.duration", unit: "s", kind: "distribution" },
} as const;

/** Of the machine as a whole, by the same probes: with what the kernel writes for nobody in particular. */
export const HOST = {
  blockIo: { name: "longpole.host.block_io.io", unit: "By", kind: "counter" },
  blockDuration: { name: "longpole.host.block_io.duration", unit: "s", kind: "distribution" },
} as const;

export const CONTAINER = {
  cpuTime: { name: "container.cpu.time", unit: "s", kind: "counter" },
  cpuLimit: { name: "container.cpu.limit", unit: "{cpu}", kind: "amount" },
  memoryUsage: { name: "container.memory.usage", unit: "By", kind: "amount" },
  memoryLimit: { name: "container.memory.limit", unit: "By", kind: "amount" },
  diskIo: { name: "container.disk.io", unit: "By", kind: "counter" },
  periods: { name: "container.cpu.throttling_data.periods", unit: "{period}", kind: "counter" },
  throttledPeriods: { name: "container.cpu.throttling_data.throttled_periods", unit: "{period}", kind: "counter" },
  throttledTime: { name: "container.cpu.throttling_data.throttled_time", unit: "s", kind: "counter" },
  pressure: { name: "container.linux.pressure.stall_time", unit: "s", kind: "counter" },
  oomKills: { name: "container.linux.memory.oom_kills", unit: "{process}", kind: "counter" },
} as const;

/** What the agent says of itself, and of what it can see. */
export const AGENT = {
  cpuShare: { name: "longpole.agent.cpu.utilization", unit: "1", kind: "level" },
  memory: { name: "longpole.agent.memory.usage", unit: "By", kind: "level" },
  interval: { name: "longpole.agent.interval", unit: "s", kind: "level" },
  cpuBudget: { name: "longpole.agent.cpu.budget", unit: "1", kind: "level" },
  memoryBudget: { name: "longpole.agent.memory.budget", unit: "By", kind: "level" },
  queueSize: { name: "longpole.agent.queue.size", unit: "By", kind: "level" },
  dropped: { name: "longpole.agent.dropped", unit: "{request}", kind: "counter" },
  collector: { name: "longpole.agent.collector", unit: "1", kind: "level" },
  processes: { name: "longpole.agent.processes", unit: "{process}", kind: "level" },
  service: { name: "longpole.agent.service.processes", unit: "{process}", kind: "level" },
  portsLeftOut: { name: "longpole.agent.ports.left_out", unit: "{port}", kind: "level" },
} as const;
