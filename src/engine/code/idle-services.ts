import type { Finding, Report } from "../../model/report.ts";
import { percent } from "../wording.ts";
import { FEWEST_SAMPLES } from "./code-causes.ts";
import type { ServiceCode } from "./service-profiles.ts";

/** Busy for less than half of the time, a thread makes requests wait for less than their work (M/M/1). */
const NOT_BUSY = 0.5;

/** Services whose processor time is not the cause, by their profiles: what the reader need not look at. */
export function idleServices(
  services: ReadonlyMap<string, ServiceCode>,
  findings: readonly Finding[],
): Report["checkedNotCause"] {
  const blamed = new Set(
    findings
      .filter(({ severity, kind }) => severity !== "note" && kind === "code")
      .map(({ subject }) => subject.service),
  );
  const idle = [...services.values()].filter(
    ({ service, valueType, busyShare, profile }) =>
      valueType === "wall" && busyShare < NOT_BUSY && profile.busySamples >= FEWEST_SAMPLES && !blamed.has(service),
  );
  if (idle.length === 0) return [];
  idle.sort((a, b) => b.busyShare - a.busyShare || (a.service < b.service ? -1 : 1));
  const told = idle.slice(0, 6).map(({ service, busyShare }) => `${service} ${percent(busyShare)}`);
  const more = idle.length > told.length ? ` and ${idle.length - told.length} more` : "";
  return [
    {
      what: "a busy thread",
      detail: `by their profiles busy for less than half of the time: ${told.join(", ")}${more}`,
    },
  ];
}
