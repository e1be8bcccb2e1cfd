import type { CostRow, CostTotals } from "../../model/cost-report.ts";
import { heading } from "./frame.ts";
import { clipMiddle, padEnd, padStart, wrap } from "./layout.ts";
import { bytes, duration, percent, plural, range, rate } from "./numbers.ts";
import type { Pen } from "./pen.ts";

const SHOWN = 8;

/** Who uses it all: per endpoint and tenant the share of the CPU (or of the databases' time) in all services together. */
export function renderCosts(costs: readonly CostRow[], totals: CostTotals | undefined, pen: Pen): string[] {
  if (totals === undefined || costs.length === 0 || isNothingMeasured(costs, totals)) return [];
  const { width } = pen.look;
  const isCpu = totals.of === "cpu";
  const what = isCpu
    ? `of ${rate(totals.cpuSecondsPerSecond ?? 0).replace("/s", "")} CPUs in use, in all services together`
    : `of ${rate(totals.dbSecondsPerSecond).replace("/s", "")} database calls at a time: no CPU was measured`;
  // What does not fit a narrow terminal: the interval and the bytes.
  const isWide = width >= 78;
  const hasBytes = isWide && costs.some((row) => row.bytesPerRequest !== undefined);
  const room = width - (isWide ? 52 : 39) - (hasBytes ? 10 : 0);
  const line = (name: string, share: string, interval: string, perSecond: string, parts: readonly string[]): string =>
    `  ${padEnd(clipMiddle(name, room - 1), room)}${padStart(share, 7)}${isWide ? `  ${padEnd(interval, 11)}` : ""}${padStart(perSecond, 8)}${parts.map((part, i) => padStart(part, i < 2 ? 11 : 10)).join("")}`;
  const head = line("endpoint", "share", "90 %", "rate", [
    isCpu ? "CPU" : "",
    "database",
    ...(hasBytes ? ["bytes"] : []),
  ]);
  const rows = costs.slice(0, SHOWN).map((row) => {
    const name = [row.endpoint.operation, row.tenant].filter((part) => part !== undefined && part !== "").join(" › ");
    const interval = `${percent(row.low).replace(" %", "")}–${percent(row.high)}`;
    const cpu = row.cpuMsPerRequest === undefined ? "" : duration(row.cpuMsPerRequest);
    const size = row.bytesPerRequest === undefined ? "" : bytes(row.bytesPerRequest);
    return line(name, percent(row.share), interval, rate(row.requestsPerSecond), [
      cpu,
      duration(row.dbMsPerRequest),
      ...(hasBytes ? [size] : []),
    ]);
  });
  const left = costs.length - SHOWN;
  return [
    "",
    heading("Who uses it all", what, pen),
    pen.faint(head),
    ...rows,
    ...(left > 0 ? [pen.faint(`  ${plural(left, "further row")}, smaller: --json has all.`)] : []),
    ...remarks(totals).flatMap((text) => wrap(text, width - 4, 3).map((line) => pen.faint(`  ${line}`))),
  ];
}

/** Neither a processor nor a call of a database nor a byte was seen: what limits, above, says what is missing. */
const isNothingMeasured = (costs: readonly CostRow[], { of, dbSecondsPerSecond, perUnit = [] }: CostTotals): boolean =>
  of === "database" &&
  dbSecondsPerSecond === 0 &&
  perUnit.length === 0 &&
  costs.every((row) => row.bytesPerRequest === undefined);

function remarks({ unattributed, notMeasured, perUnit = [] }: CostTotals): string[] {
  const left = unattributed.map(
    ({ service, resource, share, why }) => `Not attributed: ${percent(share)} of the ${resource} (${service}): ${why}.`,
  );
  const units = perUnit.map(
    ({ service, unit, perSecond, cpuSecondsPerThousand, low, high }) =>
      `${service}: ${duration(1e3 * cpuSecondsPerThousand)} of CPU for 1,000 ${unit} (90 % interval ${range(1e3 * low, 1e3 * high)}), at ${rate(perSecond)}.`,
  );
  return [...units, ...withoutCpu(left, notMeasured)];
}

function withoutCpu(left: readonly string[], notMeasured: readonly string[]): readonly string[] {
  return notMeasured.length === 0
    ? left
    : [
        ...left,
        `CPU not measured: ${notMeasured.slice(0, 5).join(", ")}${notMeasured.length > 5 ? ` and ${notMeasured.length - 5} more` : ""}.`,
      ];
}
