import { meanOfTop } from "../../analysis/robust-deviation.ts";
import { eventLoopShare, largestOf, valuesOf } from "../resources/service-measures.ts";
import { ms, percent } from "../wording.ts";
import type { CheckResult, ConfigurationCheck } from "./configuration-check.ts";

/** A single server that is busy for seven tenths of the time keeps its work waiting for 0.7 / 0.3 = 2.3 times as long as it takes. */
const TARGET = 0.7;

/** The one thread of an event loop against what it has to do: how many processes the present load needs. */
export const eventLoop: ConfigurationCheck = {
  what: "event loop",
  run: ({ resources }) => {
    const results: CheckResult[] = [];
    for (const [service, measures] of resources?.now.services ?? []) {
      const share = eventLoopShare(measures);
      const reading = resources!.readings.find((one) => one.service === service && one.resource === "event-loop");
      if (share === undefined || reading === undefined) continue;
      const known = share.values.filter((value) => Number.isFinite(value));
      const level = meanOfTop(known, Math.max(1, known.length >> 1));
      const delay = largestOf(valuesOf(measures, "event-loop-delay"));
      const late = Number.isFinite(delay) ? `, late by up to ${ms(1e9 * delay)}` : "";
      const processes = Math.max(1, share.instances.length);
      if (!reading.saturated) {
        results.push({
          problems: [],
          fine: [
            {
              text: `${service}: active for ${percent(level)} of the busier half of the time${late}`,
              tightness: level,
            },
          ],
        });
        continue;
      }
      // A loop that stands still in one long piece is not helped by another process.
      if (reading.mechanism !== "cpu-saturated") continue;
      const isHostFull = resources!.readings.some(
        (one) => one.resource === "host-cpu" && one.host !== "" && one.host === reading.host && one.saturated,
      );
      const where = isHostFull ? ` (on machines other than ${reading.host})` : "";
      const need = Math.max(processes + 1, Math.ceil((processes * level) / TARGET));
      results.push({
        problems: [
          {
            service,
            resource: "event-loop",
            setting: "replicas",
            change: `replicas: ${processes} -> ${need}${where}`,
            mechanism: "cpu-saturated",
            saidAs: new Set(["cpu-saturated", "load-increase", "event-loop-blocked"]),
            followsFrom: new Set(["slow-code", "cpu-throttled", "garbage-collection", "noisy-neighbour"]),
            arithmetic: `${processes} × ${percent(level)} of a thread / ${percent(TARGET)} = ${((processes * level) / TARGET).toFixed(2)} processes`,
            title: `the event loop of ${service} is busy for ${percent(level)} of the time`,
            remedy: isHostFull
              ? `Let each request compute less, or run more processes on other machines: ${reading.host} has no processor to spare.`
              : "Run more processes (replicas, cluster), or let each request compute less.",
            reference: "M/M/1: waiting over work is u / (1 - u)",
            query: `nodejs.eventloop.utilization of ${service}`,
            refutedBy: "its CPU is idle while the loop is active",
            confidence: 0.75,
            harm: { text: `${reading.text}${late}` },
          },
        ],
        fine: [],
      });
    }
    return { problems: results.flatMap((r) => r.problems), fine: results.flatMap((r) => r.fine) };
  },
};
