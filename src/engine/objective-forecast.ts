import type { ObjectiveResult } from "../model/report.ts";
import { NS_PER_MS } from "../model/units.ts";
import type { Claim } from "./findings.ts";
import type { SizeGrowth } from "./hot-spot.ts";
import { count, times } from "./wording.ts";

/** Beyond this many times the present size nothing is foretold: a law that was seen over some doublings need not hold so far. */
const FARTHEST = 100;
const STEPS = 60;

/**
 * For claims whose time follows a size: at which size the objectives of their endpoint fall or, where they are missed, are
 * met again; and when, at the pace at which the size grew within the window. What does not follow the size is taken to stay.
 */
export function withObjectiveForecast(claims: readonly Claim[], objectives: readonly ObjectiveResult[]): Claim[] {
  return claims.map((claim) => {
    const { growth } = claim.explanation;
    if (growth === undefined) return claim;
    const texts = objectives
      .filter(({ endpoint }) => endpoint?.service === claim.view.service && endpoint.operation === claim.view.operation)
      .map((objective) => forecast(growth, objective))
      .filter((text) => text !== undefined);
    if (texts.length === 0) return claim;
    const { explanation } = claim;
    return {
      ...claim,
      explanation: {
        ...explanation,
        why: `${explanation.why} ${texts.join(" ")}`,
        chain: [...explanation.chain, ...texts.map((text) => ({ claim: text, evidence: [] }))],
      },
    };
  });
}

function forecast(growth: SizeGrowth, { text, nowMs, limitMs }: ObjectiveResult): string | undefined {
  if (nowMs === null) return undefined;
  const size = sizeAtLimit(growth, nowMs * NS_PER_MS, limitMs * NS_PER_MS);
  const { what, now } = growth;
  if (size === undefined)
    return nowMs < limitMs
      ? `"${text}" holds up to ${FARTHEST} times as much ${what}.`
      : `"${text}" is missed for other reasons as well: no smaller ${what} meets it.`;
  if (size <= now) return `"${text}" is met again at ${count(Math.round(size))} ${what}, and it is ${count(now)} now.`;
  const at = `"${text}" falls at ${count(Math.round(size))} ${what}, ${times(size / now)} as much as now`;
  if (!(growth.perSecond > 0)) return `${at}.`;
  return `${at}: in ${time((size - now) / growth.perSecond)}, if it keeps growing by ${count(growth.perSecond)} a second.`;
}

/**
 * Size at which a percentile that is `nowNs` at the present size reaches `limitNs`, everything else as it is; by bisection
 * in the logarithm of the size. Undefined where no size from 0 (one) to a hundred times the present one does.
 */
export function sizeAtLimit({ now, timeAt }: SizeGrowth, nowNs: number, limitNs: number): number | undefined {
  const at = (size: number): number => nowNs + timeAt(size) - timeAt(now) - limitNs;
  let [low, high] = at(now) < 0 ? [now, FARTHEST * now] : [Math.min(1, now), now];
  if (at(low) > 0 || at(high) < 0) return undefined;
  for (let i = 0; i < STEPS; i++) {
    const middle = Math.sqrt(low * high);
    if (at(middle) < 0) low = middle;
    else high = middle;
  }
  return high;
}

/** "40 s", "12 min", "5.5 h", "9 days". */
function time(seconds: number): string {
  if (seconds < 100) return `${count(Math.round(seconds))} s`;
  if (seconds < 6000) return `${count(Math.round(seconds / 60))} min`;
  return seconds < 72 * 3600 ? `${count(seconds / 3600)} h` : `${count(Math.round(seconds / 86_400))} days`;
}
