import { strengthOf, usualOf } from "../../analysis/robust-deviation.ts";
import { failedShare } from "./deviations.ts";
import { durationOf, meanOf, type ServiceMeasures, valuesOf } from "./service-measures.ts";

/** Who calls whom, and how often per second. */
export interface ServiceGraph {
  readonly edges: readonly { readonly client: string; readonly server: string; readonly rate: number }[];
}

/** What is more than usual at a service, per second of the clock: of time that requests take, or of requests that fail. */
export interface Excess {
  readonly service: string;
  readonly of: "duration" | "failures";
  /** per second, in the bad windows */
  readonly mass: number;
  /** what its callees do not explain of it */
  readonly own: number;
  /** level in the bad windows, and as it should be */
  readonly now: number;
  readonly usual: number;
  /** in usual distances */
  readonly strength: number;
}

/** A symptom at the edge of the system, and the services that it comes from, most of it first. */
export interface Localisation {
  readonly symptom: Excess;
  /** share of the requests from outside that come to the symptom's service, 0 .. 1 */
  readonly traffic: number;
  /** `share`: of the symptom that the service's own excess explains, 0 .. 1 */
  readonly roots: readonly { readonly excess: Excess; readonly share: number }[];
  /** windows in which the symptom showed, of how many */
  readonly badWindows: number;
  /** most windows in a row beyond the usual */
  readonly lastingWindows: number;
  readonly windows: number;
}

/** A symptom has to lie beyond the edge of the usual by half to be one; from here on it may be. */
export const SYMPTOM = 1.5;
const SUSPECTED = 0.6;
/** Roots that explain less than this of the symptom are not told. */
const MIN_SHARE = 0.25;

/**
 * Follows what users feel down the graph. Each service's excess (rate times what its requests take, or fail, more
 * than usual) is held against that of what it calls, shared by the callers' rates: what remains is its own. The root
 * is where own excess is, as far down as it goes.
 *
 * Where the symptom comes and goes within the window, the windows without it tell what is usual as well as the
 * baseline does: what was as high without the symptom did not cause it.
 */
export function localise(now: ServiceMeasures, before: ServiceMeasures, graph: ServiceGraph): Localisation[] {
  const entries = entryServices(now, graph);
  const allTraffic = entries.reduce((sum, entry) => sum + rateOf(now, entry), 0);
  const found: Localisation[] = [];
  for (const of of ["duration", "failures"] as const) {
    const series = seriesOf(now, before, of);
    const symptom = entries
      .map((entry) => series.get(entry))
      .filter((one) => one !== undefined)
      .map((one) => ({ one, strength: strengthOf(levelIn(one, worstWindows(one)), one.usual) }))
      .filter(({ strength }) => strength >= SUSPECTED)
      .toSorted((a, b) => massOf(b.one, worstWindows(b.one)) - massOf(a.one, worstWindows(a.one)))[0];
    if (symptom === undefined) continue;
    const { bad, quiet } = splitWindows(symptom.one);
    const excesses = new Map<string, Excess>();
    for (const one of series.values()) excesses.set(one.service, excessOf(one, of, bad, quiet));
    const own = ownExcess(excesses, graph);
    const main = own.get(symptom.one.service)!;
    const reached = reachable(symptom.one.service, graph);
    const roots = [...own.values()]
      .filter((excess) => reached.has(excess.service) && excess.strength >= 1 && excess.own > 0)
      .map((excess) => ({ excess, share: Math.min(1, excess.own / main.mass) }))
      .filter(({ share }) => share >= MIN_SHARE)
      .toSorted(
        (a, b) => b.share * depthOf(b) - a.share * depthOf(a) || (a.excess.service < b.excess.service ? -1 : 1),
      );
    if (main.mass > 0 && roots.length > 0)
      found.push({
        symptom: main,
        traffic: rateOf(now, symptom.one.service) / allTraffic,
        roots,
        badWindows: bad.length,
        lastingWindows: longestRun(symptom.one),
        windows: symptom.one.values.length,
      });
  }
  return found.toSorted((a, b) => b.symptom.strength * b.traffic - a.symptom.strength * a.traffic);
}

/** Requests per second; where nothing counts them all services weigh the same. */
const rateOf = (now: ServiceMeasures, service: string): number =>
  meanOf(valuesOf(now.services.get(service), "request-rate")) || 1e-9;

/** Of equal shares, what stands out more. */
const depthOf = ({ excess }: { excess: Excess }): number => 1 + Math.min(1, Math.log10(1 + excess.strength) / 2);

interface Series {
  readonly service: string;
  readonly values: Float64Array;
  readonly rate: Float64Array | undefined;
  readonly usual: NonNullable<ReturnType<typeof usualOf>>;
}

function seriesOf(now: ServiceMeasures, before: ServiceMeasures, of: Excess["of"]): Map<string, Series> {
  const found = new Map<string, Series>();
  for (const [service, measures] of now.services) {
    const baseline = before.services.get(service);
    const values = of === "duration" ? durationOf(measures, "request")?.values : failedShare(measures);
    const then = of === "duration" ? durationOf(baseline, "request")?.values : failedShare(baseline);
    const usual = usualOf(then ?? [], of === "duration" ? 0.001 : 0.004);
    if (values === undefined || usual === undefined) continue;
    found.set(service, { service, values, rate: valuesOf(measures, "request-rate"), usual });
  }
  return found;
}

/** Those that others call only from outside: nobody in the graph calls them, or nothing is known of who does. */
function entryServices(now: ServiceMeasures, graph: ServiceGraph): string[] {
  const called = new Set(graph.edges.filter(({ client, server }) => client !== server).map(({ server }) => server));
  const entries = [...now.services.keys()].filter((service) => !called.has(service));
  return entries.length > 0 ? entries : [...now.services.keys()];
}

const worstWindows = ({ values }: Series): number[] => {
  const order = Array.from(values.keys()).filter((w) => Number.isFinite(values[w]!));
  order.sort((a, b) => values[b]! - values[a]!);
  return order.slice(0, Math.max(1, order.length >> 1));
};

const levelIn = ({ values }: Series, windows: readonly number[]): number => meanOf(windows.map((w) => values[w]!));

const rateIn = ({ rate }: Series, windows: readonly number[]): number => {
  const mean = meanOf(rate === undefined ? [] : windows.map((w) => rate[w]!));
  return Number.isFinite(mean) ? mean : 1;
};

const massOf = (series: Series, windows: readonly number[]): number =>
  rateIn(series, windows) * (levelIn(series, windows) - series.usual.median);

/** Windows in which the symptom is at least half as strong as at its worst, and those in which it is within the usual. */
function splitWindows(symptom: Series): { bad: number[]; quiet: number[] } {
  const strengths = Array.from(symptom.values, (value) => strengthOf(value, symptom.usual));
  const most = Math.max(...strengths.filter((value) => Number.isFinite(value)));
  const windows = Array.from(strengths.keys());
  return {
    bad: windows.filter((w) => strengths[w]! >= most / 2),
    quiet: windows.filter((w) => strengths[w]! < Math.min(1, most / 3)),
  };
}

function longestRun({ values, usual }: Series): number {
  let [most, run] = [0, 0];
  for (const value of values) {
    run = strengthOf(value, usual) > 1 ? run + 1 : 0;
    most = Math.max(most, run);
  }
  return most;
}

function excessOf(series: Series, of: Excess["of"], bad: readonly number[], quiet: readonly number[]): Excess {
  const now = levelIn(series, bad);
  const calm = levelIn(series, quiet);
  // Without the symptom it may have been worse than at the time of the baseline: then that is what is usual by now.
  const usual = Number.isFinite(calm) ? Math.max(calm, Math.min(series.usual.median, now)) : series.usual.median;
  const strength = (now - usual) / series.usual.above;
  const mass = Number.isFinite(now) ? rateIn(series, bad) * Math.max(0, now - usual) : 0;
  return { service: series.service, of, mass, own: mass, now, usual, strength };
}

function ownExcess(excesses: ReadonlyMap<string, Excess>, { edges }: ServiceGraph): Map<string, Excess> {
  const calls = new Map<string, number>();
  for (const { server, rate } of edges) calls.set(server, (calls.get(server) ?? 0) + rate);
  const own = new Map<string, Excess>();
  for (const [service, excess] of excesses) {
    let below = 0;
    for (const { client, server, rate } of edges) {
      if (client !== service || server === service) continue;
      const all = calls.get(server)!;
      below += all > 0 ? (rate / all) * (excesses.get(server)?.mass ?? 0) : 0;
    }
    own.set(service, { ...excess, own: Math.max(0, excess.mass - below) });
  }
  return own;
}

function reachable(from: string, { edges }: ServiceGraph): Set<string> {
  const seen = new Set([from]);
  const open = [from];
  while (open.length > 0) {
    const service = open.pop()!;
    for (const { client, server } of edges) {
      if (client !== service || seen.has(server)) continue;
      seen.add(server);
      open.push(server);
    }
  }
  return seen;
}
