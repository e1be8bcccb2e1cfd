import type { Estimate } from "../../analysis/bootstrap.ts";
import { serviceDemands } from "../../analysis/service-demands.ts";
import { studentQuantile } from "../../analysis/special-functions.ts";
import type { Window } from "../window.ts";
import { ratesInBins } from "./request-load.ts";
import type { ResourceUse } from "./resource-use.ts";

/** What a request of any endpoint, at the present mix, needs of a resource. */
export interface Demand {
  /** capacity × seconds per request, 90 % interval */
  readonly perRequest: Estimate;
  /** capacity that is busy without requests */
  readonly background: number;
  /** share of the variance of the use that the requests explain; NaN where the windows are too few to tell */
  readonly r2: number;
  readonly windows: number;
}

/** Fewest windows of a mean with an interval. */
const MIN_WINDOWS = 3;

/**
 * The demand by the utilisation law over the windows of the resource; undefined where they are too few. `apart`: capacity
 * that is known to be busy without requests.
 */
export function demandOf(window: Window, use: ResourceUse, seed: number, apart = 0): Demand | undefined {
  const classes = ratesInBins(window, use.startNs, use.widthNs);
  const busy = apart > 0 ? use.busy.map((value) => Math.max(0, value - apart)) : use.busy;
  const found = serviceDemands(classes, busy, { seed });
  if (found.kind === "demands") {
    const background = found.background.value + apart;
    return { perRequest: found.meanDemand, background, r2: found.r2, windows: found.windows };
  }
  const few = found.what === "requests" ? undefined : fromFewWindows(classes, busy);
  return few === undefined ? undefined : { ...few, background: apart };
}

/** Student's interval of the ratio per window: too wide rather than too narrow, where there are too few to resample. */
function fromFewWindows(classes: ReturnType<typeof ratesInBins>, busy: Float64Array): Demand | undefined {
  const rates = busy.map((_, i) => classes.reduce((sum, { perSecond }) => sum + perSecond[i]!, 0));
  const total = rates.reduce((a, b) => a + b, 0);
  const n = busy.length;
  if (n < MIN_WINDOWS || !(total > 0)) return undefined;
  const value = busy.reduce((a, b) => a + b, 0) / total;
  const residual = busy.reduce((sum, b, i) => sum + (b - value * rates[i]!) ** 2, 0);
  const reach = (studentQuantile(0.1, n - 1) * Math.sqrt((residual * n) / (n - 1))) / total;
  const perRequest = { value, low: Math.max(0, value - reach), high: value + reach };
  return { perRequest, background: 0, r2: Number.NaN, windows: n };
}
