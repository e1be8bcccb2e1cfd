import { causingTraces } from "../../analysis/causing-traces.ts";
import { splitCost, type CostSplit, type SharedUse } from "../../analysis/cost-split.ts";
import { findFlows } from "../../analysis/flows.ts";
import type { CostRow, CostTotals, UnattributedCost } from "../../model/cost-report.ts";
import { NS_PER_S } from "../../model/units.ts";
import type { ResourceContext } from "../resources/resource-context.ts";
import type { Window } from "../window.ts";
import { type Blocks, blocksOf, busyWork, workOfTraces, type WorkByClass } from "./busy-work.ts";
import { costClasses, type CostClass } from "./cost-classes.ts";
import { cpuUses, type CpuUse } from "./cpu-uses.ts";
import { tenantAttribute } from "./tenant-attribute.ts";
import { unitCosts } from "./unit-costs.ts";
import { mapToFloats } from "../../model/map-column.ts";

/**
 * Who uses it all: CPU, time of databases and bytes per endpoint and tenant, what callees and handlers of messages use
 * carried up to the request that caused it. A process's CPU is split among the requests by their own time in it,
 * less what it computes without any. Rows and what is unattributed sum to the totals.
 */
export function requestCosts(
  window: Window,
  resources: ResourceContext | undefined,
  seed: number,
): { costs?: readonly CostRow[]; costTotals?: CostTotals } {
  const causes = causingTraces(window.forest, findFlows(window.forest));
  const tenant = tenantAttribute(window, workOfTraces(window));
  const found = costClasses(window, causes, tenant);
  const { classes } = found;
  const { baseUnixNs, grid } = resources?.measures ?? { baseUnixNs: window.spans.baseUnixNs, grid: NO_GRID };
  const blocks = blocksOf(window, Number(baseUnixNs - window.spans.baseUnixNs) + grid.startNs, grid.stepNs);
  if (classes.length === 0 || blocks === undefined) return {};
  const work = busyWork(window, causes, found, blocks);
  const seconds = (blocks.widthNs * blocks.count) / NS_PER_S;
  const { uses, notMeasured } = cpuUses(window, work, resources, seed);
  const cpu = split(
    uses.map(({ use }) => use),
    classes.length,
    seed,
  );
  const database = split(usesOf([...work.databaseNs.values()], blocks, NS_PER_S), classes.length, seed);
  const bytes = work.bytes === undefined ? undefined : split(usesOf([work.bytes], blocks, 1), classes.length, seed);
  const perUnit = unitCosts(window, blocks, uses, resources, seed);
  const basis = cpu.total > 0 ? cpu : database;
  const rows = classes.map((one, c) =>
    row(window, one, c, seconds, { cpu, database, bytes, basis, attribute: tenant?.name }),
  );
  return {
    costs: rows.toSorted((a, b) => b.share - a.share || b.requestsPerSecond - a.requestsPerSecond),
    costTotals: {
      of: cpu.total > 0 ? "cpu" : "database",
      ...(cpu.total > 0 ? { cpuSecondsPerSecond: cpu.total } : {}),
      dbSecondsPerSecond: database.total,
      ...(bytes === undefined ? {} : { bytesPerSecond: bytes.total }),
      unattributed: [
        ...uses.flatMap((use) => unattributedCpu(use, classes.length, cpu.total)),
        ...unattributedOf("database", "databases", database),
        ...(bytes === undefined ? [] : unattributedOf("bytes", "messages", bytes)),
      ],
      notMeasured,
      ...(perUnit.length === 0 ? {} : { perUnit }),
    },
  };
}

interface Splits {
  readonly cpu: CostSplit;
  readonly database: CostSplit;
  readonly bytes: CostSplit | undefined;
  readonly basis: CostSplit;
  readonly attribute: string | undefined;
}

/** The last class is of what belongs to no request that was received whole. */
function split(uses: readonly SharedUse[], classes: number, seed: number): CostSplit {
  const found = splitCost(uses, classes + 1, seed);
  const unattributed = found.unattributed + found.perClass[classes]!.value;
  return { ...found, perClass: found.perClass.slice(0, classes), unattributed };
}

const NO_GRID = { startNs: 0, stepNs: 0 };

/** Work that is itself the cost, `unit` of it being one: its rate per block, whose mean is the total. */
function usesOf(works: readonly WorkByClass[], { widthNs, count }: Blocks, unit: number): SharedUse[] {
  const rate = NS_PER_S / widthNs / unit;
  return works.map((work) => ({
    used: mapToFloats({ length: count }, (_, b) => work.reduce((sum, of) => sum + of[b]! * rate, 0)),
    background: 0,
    work,
  }));
}

function row(window: Window, one: CostClass, c: number, seconds: number, splits: Splits): CostRow {
  const { cpu, database, bytes, basis, attribute } = splits;
  const perSecond = one.requests / seconds;
  const share = (value: number): number => (basis.total > 0 ? value / basis.total : 0);
  const [ofCpu, ofDatabase] = [cpu.perClass[c]!.value, database.perClass[c]!.value];
  const ofBytes = bytes?.perClass[c]!.value;
  const each = (value: number): number => (perSecond > 0 ? value / perSecond : 0);
  const { value, low, high } = basis.perClass[c]!;
  return {
    endpoint: { service: window.text(one.service), operation: window.text(one.operation) },
    ...(one.tenant === "" ? {} : { tenant: one.tenant }),
    ...(attribute === undefined ? {} : { tenantAttribute: attribute }),
    requestsPerSecond: perSecond,
    ...(cpu.total > 0 ? { cpuSecondsPerSecond: ofCpu, cpuMsPerRequest: 1e3 * each(ofCpu) } : {}),
    dbSecondsPerSecond: ofDatabase,
    dbMsPerRequest: 1e3 * each(ofDatabase),
    ...(ofBytes === undefined ? {} : { bytesPerSecond: ofBytes, bytesPerRequest: each(ofBytes) }),
    share: share(value),
    low: share(low),
    high: share(high),
  };
}

function unattributedCpu({ service, use }: CpuUse, classes: number, total: number): UnattributedCost[] {
  const { unattributed, total: own } = split([use], classes, 0);
  if (!(unattributed > 1e-9 * total)) return [];
  const why = use.work.every((of) => of.every((ns) => ns === 0))
    ? "no span tells what it works on"
    : use.background > 0
      ? `${((100 * use.background) / own).toFixed(0)} % of what it computes does not follow its requests: collector, timers, work put off`
      : "requests whose beginning was not received";
  return [{ service, resource: "cpu", perSecond: unattributed, share: unattributed / total, why }];
}

function unattributedOf(
  resource: "database" | "bytes",
  service: string,
  { unattributed, total }: CostSplit,
): UnattributedCost[] {
  if (!(unattributed > 1e-9 * total)) return [];
  const why = "requests whose beginning was not received";
  return [{ service, resource, perSecond: unattributed, share: unattributed / total, why }];
}
