import { TIME_KINDS, type TimeKind } from "../../model/time-kind.ts";

/** What a person reads for a time kind; JSON keeps the names of `TIME_KINDS`. docs/reading-a-report.md explains them. */
export function timeKindWords(timeKind: string): string {
  return isTimeKind(timeKind) ? WORDS[timeKind] : timeKind;
}

const isTimeKind = (name: string): name is TimeKind => (TIME_KINDS as readonly string[]).includes(name);

/** Short: a row of a report has room for little more than a name. */
const WORDS: Readonly<Record<TimeKind, string>> = {
  "pool-wait": "pool wait",
  queue: "in a queue",
  lock: "lock wait",
  callee: "remote",
  transit: "in transit",
  network: "network",
  disk: "disk",
  cpu: "CPU",
  runnable: "CPU wait",
  gc: "GC",
  "event-loop": "event loop",
  sleep: "sleep",
  unexplained: "unexplained",
};
