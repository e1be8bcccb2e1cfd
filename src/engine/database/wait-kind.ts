/** What a session spends its time on, as PostgreSQL tells it. */
export type WaitKind = "cpu" | "lock" | "disk" | "network" | "sleep" | "idle" | "other";

/**
 * By the wait event of pg_stat_activity (PostgreSQL's manual, "Wait Events"). No event while active is the processor, or
 * waiting for one. A session in an open transaction that runs nothing is idle, whatever it waits for.
 * Light-weight locks around the log and buffers in transit are waits for another's write or read; the latter are "buffer_io"
 * before PostgreSQL 13, light-weight locks before 14 and communication since, spelt "BufferIo" from 17 on.
 */
export function waitKind(type: string, event: string, state: string): WaitKind {
  if (state.startsWith("idle")) return "idle";
  switch (type) {
    case "":
      return "cpu";
    case "Lock":
    case "BufferPin":
      return "lock";
    case "LWLock":
      return event.startsWith("WALWrite") || isBufferInTransit(event) ? "disk" : "lock";
    case "IPC":
      return isBufferInTransit(event) ? "disk" : "other";
    case "IO":
      return "disk";
    case "Client":
      return "network";
    case "Timeout":
      return "sleep";
    default:
      return "other";
  }
}

const isBufferInTransit = (event: string): boolean => /^buffer_?io$/i.test(event);
