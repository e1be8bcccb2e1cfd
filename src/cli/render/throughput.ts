import type { ObjectiveLoad, ResourceRow, ThroughputReport } from "../../model/report.ts";
import { heading } from "./frame.ts";
import { clipMiddle, padEnd, padStart, wrap } from "./layout.ts";
import { duration, percent, plural, rate } from "./numbers.ts";
import type { Pen } from "./pen.ts";

/** Most utilised first: what is far from its limit need not be looked at. */
const SHOWN = 8;

/** What limits the throughput and what would limit it next, then how near each resource is to its limit. */
export function renderThroughput(throughput: ThroughputReport, pen: Pen): string[] {
  const { limiter, next, resources = [] } = throughput;
  const lines = ["", heading("Throughput", "the rate of all endpoints together, at the present mix", pen)];
  const { width } = pen.look;
  if (limiter === undefined) {
    const why = throughput.status === "gate-failed" ? "The data contradict themselves" : "Cannot tell the ceiling";
    lines.push(...wrap(`${why}: ${throughput.detail}.`, width - 4, 6).map((line) => `  ${line}`));
  } else {
    const { ceilingPerSecond, lowPerSecond, highPerSecond } = limiter;
    const interval = `90 % interval ${rate(lowPerSecond).replace("/s", "")}–${rate(highPerSecond)}`;
    const place = `${limiter.service} › ${limiter.resource}`;
    lines.push(
      `  ${padEnd("limit", 8)}${pen.strong(rate(ceilingPerSecond))}  ${clipMiddle(place, width - 50)}  ${pen.faint(interval)}`,
    );
    if (next !== undefined) {
      const then = clipMiddle(`${next.service} › ${next.resource}`, width - 50);
      lines.push(
        `  ${padEnd("then", 8)}${pen.strong(rate(next.ceilingPerSecond))}  ${then}  ${pen.faint("once that is no limit")}`,
      );
    }
    lines.push(...wrap(`${throughput.detail}.`, width - 4, 4).map((line) => pen.faint(`  ${line}`)));
  }
  if (throughput.together !== undefined) {
    const { resources: pair, onePerSecond, bothPerSecond } = throughput.together;
    const names = pair.map(({ service, resource }) => `${service} › ${resource}`).join(" and ");
    const gain = `room for one alone gains up to ${rate(onePerSecond)}, for both ${rate(bothPerSecond)}`;
    lines.push(...wrap(`${names} are full at nearly the same load: ${gain}.`, width - 4, 4).map((line) => `  ${line}`));
  }
  for (const fall of throughput.objectives ?? []) lines.push(...objectiveLines(fall, pen));
  for (const text of throughput.assumptions ?? [])
    lines.push(...wrap(`Taken: ${text}.`, width - 4, 4).map((line) => pen.faint(`  ${line}`)));
  if (resources.length > 0) lines.push("", ...table(resources, pen));
  return lines;
}

/** "GET /orders p99 < 300 ms falls at 120/s", and between which loads. */
function objectiveLines({ endpoint, metric, limitMs, ...fall }: ObjectiveLoad, pen: Pen): string[] {
  const { width } = pen.look;
  const what = `${endpoint.operation} ${metric} < ${duration(limitMs)}`;
  if (fall.fallsAtPerSecond === null || fall.lowPerSecond === null || fall.highPerSecond === null)
    return wrap(`${what}: ${fall.detail ?? "cannot tell at what load it falls"}.`, width - 4, 4).map(
      (line) => `  ${line}`,
    );
  const interval = `90 % interval ${rate(fall.lowPerSecond).replace("/s", "")}–${rate(fall.highPerSecond)}`;
  return [
    `  ${clipMiddle(what, width - 60)} falls at ${pen.strong(rate(fall.fallsAtPerSecond))}  ${pen.faint(interval)}`,
  ];
}

function table(resources: readonly ResourceRow[], pen: Pen): string[] {
  const room = Math.max(16, pen.look.width - 50);
  const head = `  ${padEnd("resource", room)}${padStart("in use", 8)}${padStart("worst", 8)}${padStart("a request", 12)}${padStart("ceiling", 12)}`;
  const rows = resources.slice(0, SHOWN).map((row) => {
    const place = [row.service, row.resource, row.instance]
      .filter((part) => part !== undefined && part !== "")
      .join(" › ");
    const use = padStart(percent(row.utilisation), 8);
    const painted = row.utilisation >= 0.8 ? pen.worse(use) : use;
    const worst = row.worstUtilisation === undefined ? "" : percent(row.worstUtilisation);
    const demand = row.demandMs === undefined ? "" : duration(row.demandMs);
    const ceiling = row.ceilingPerSecond === undefined ? "" : rate(row.ceilingPerSecond);
    return `  ${padEnd(clipMiddle(place, room - 1), room)}${painted}${padStart(worst, 8)}${padStart(demand, 12)}${padStart(ceiling, 12)}`;
  });
  const left = resources.length - SHOWN;
  const rest = left > 0 ? [pen.faint(`  ${plural(left, "further resource")}, less used: --json has all.`)] : [];
  return [pen.faint(head), ...rows, ...rest];
}
