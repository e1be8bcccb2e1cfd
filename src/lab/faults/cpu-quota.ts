import type { Fault } from "./fault.ts";
import { userEndpoint } from "./names.ts";

/**
 * A limit of a quarter of a core, as people set it by the average of a quiet day. The kernel enforces it
 * in slices of 100 ms: work stops until the next slice.
 */
export const cpuQuota: Fault = {
  name: "cpu-quota",
  kind: "fault",
  summary: "zones stands still for parts of every tenth of a second",
  truths: [
    {
      service: "zones",
      mechanism: "cpu-throttled",
      setting: "cpu.max",
      limiter: { service: "zones", resource: "quota" },
      endpoint: userEndpoint("list"),
    },
  ],
  seenFrom: "metrics",
  needs: ["cpu-cgroup"],
  broken: { host: { quota: { service: "zones", cores: 0.25 } } },
  load: {},
  whatIf: ["service=zones,cpu=2"],
  needsBaseline: false,
};
