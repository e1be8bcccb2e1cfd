import type { Finding, Mechanism } from "../../model/report.ts";
import type { Window } from "../window.ts";
import { poolInstead, retriesOf, timeoutOf } from "./caller-settings.ts";
import { consumersOf } from "./consumers.ts";
import type { NamedSetting } from "./configuration-check.ts";
import { timerOf } from "./known-timers.ts";
import { listenBacklog } from "./listen-queue.ts";
import { placesOf } from "./places.ts";
import { withSetting } from "./with-settings.ts";

/** Mechanisms that are a setting at work: what the finding is about tells which, and the spans what it should be. */
const SETTINGS: Partial<Record<Mechanism, (finding: Finding, window: Window) => NamedSetting | undefined>> = {
  "accept-queue": () => listenBacklog,
  "fixed-delay": timerOf,
  timeout: timeoutOf,
  retries: retriesOf,
  "connection-churn": poolInstead,
  "pool-exhausted": placesOf,
  "thread-starvation": placesOf,
  "queue-backlog": consumersOf,
};

/** Findings above a note whose cause is a setting, with it and its change. */
export function nameSettings(findings: readonly Finding[], window: Window): Finding[] {
  return findings.map((finding) => {
    if (finding.severity === "note" || finding.remedy.change !== undefined) return finding;
    const named = SETTINGS[finding.mechanism]?.(finding, window);
    return named === undefined ? finding : withSetting(finding, named);
  });
}
