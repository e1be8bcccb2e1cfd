/**
 * What the diagnosis asks of metrics, whatever they are called and in whatever unit they come.
 * Times are seconds, sizes bytes, shares 0 .. 1, rates per second.
 */
export type Measure =
  /** cores in use; time counted per second of the clock is the same */
  | "cpu-used"
  /** share of its own limit, or of the machine where it has none */
  | "cpu-share"
  | "cpu-limit"
  | "host-cpu-busy"
  | "host-cpu-idle"
  | "host-cpu-share"
  /** threads that want a processor */
  | "run-queue"
  /** seconds per second that the first thread, and the others, wait for a processor, stops of a quota among them */
  | "runnable-main"
  | "runnable-others"
  /** seconds per second in which a quota stopped it, and the share of its periods */
  | "throttled-time"
  | "throttled-periods"
  | "quota-periods"
  | "throttled-share"
  | "memory-used"
  | "memory-limit"
  | "memory-share"
  | "host-memory-share"
  | "heap-used"
  | "heap-limit"
  | "swap-rate"
  | "swap-share"
  | "gc-time"
  /** seconds per second in which it runs and in which it waits for something to do */
  | "event-loop-active"
  | "event-loop-idle"
  | "event-loop-share"
  | "event-loop-delay"
  | "pool-used"
  | "pool-idle"
  | "pool-max"
  | "pool-waiting"
  | "pool-wait"
  | "pool-timeouts"
  | "threads-used"
  | "threads-max"
  | "queue-depth"
  | "disk-busy"
  | "disk-bytes"
  /** requests per second that a disk was asked to read */
  | "disk-reads"
  /** connections that ended per second, and how long each was open */
  | "connection-rate"
  | "connection-life"
  | "network-bytes"
  | "network-limit"
  | "network-errors"
  | "system-calls"
  /** points, messages, rows … per second that a program says it handled, by the counter's name */
  | "work-done"
  | "db-connections"
  | "db-connections-max"
  | "db-rows"
  | "db-scans"
  /** blocks per second that were found in the database's own cache, and that were not */
  | "db-buffer-hits"
  | "db-buffer-reads"
  | "db-buffer-size"
  /** per second: by the clock, and because the log was full */
  | "db-checkpoints-timed"
  | "db-checkpoints-requested"
  /** files and bytes per second that sorts and hashes write since their memory is too small */
  | "db-temp-files"
  | "db-temp-bytes"
  /** rows of a table that nobody sees any more and that are still there */
  | "db-dead-rows"
  /** threads that the runtime lets compute at once */
  | "runtime-threads"
  /** requests of a Node.js process that its thread pool works on or will */
  | "uv-requests"
  | "fds-used"
  | "fds-max"
  /** connections per second that found the listen queue full */
  | "host-listen-overflows"
  | "host-time-wait"
  | "disk-used"
  | "disk-free"
  | "disk-limit"
  | "disk-share"
  /** processes per second that were ended for want of memory */
  | "oom-kills"
  | "request-rate"
  /** seconds of requests per second: the mean in flight, and with the rate the mean duration */
  | "request-time"
  | "request-mean"
  | "request-tail"
  | "request-failed"
  | "request-failed-share"
  | "call-rate"
  | "call-time"
  | "call-mean"
  | "call-tail"
  /** requests per second from one service to another, as service-graph generators count them */
  | "edge-rate"
  | "edge-failed";
