import type { ThroughputReport } from "../../model/report.ts";
import { ceilingOf, without, type CapacityModel, type ModelCeiling, type ModelResource } from "./capacity-model.ts";

/** Room for one alone gains less than this share, */
const LITTLE = 0.15;
/** and for both this much more than for one. */
const MUCH = 0.25;

/** The limiter and the next one, where it takes room for both to gain anything: a pool and the database behind it. */
export function limitTogether(
  model: CapacityModel,
  ceiling: ModelCeiling,
  next: ModelCeiling | undefined,
): ThroughputReport["together"] {
  if (next === undefined || next.perSecond >= (1 + LITTLE) * ceiling.perSecond) return undefined;
  const both = ceilingOf(without(without(model, ceiling.limiter), next.limiter));
  if (both === undefined || both.perSecond < (1 + MUCH) * next.perSecond) return undefined;
  const place = ({ service, resource }: ModelResource): { service: string; resource: string } => ({
    service,
    resource,
  });
  return {
    resources: [place(ceiling.limiter), place(next.limiter)],
    onePerSecond: Number(next.perSecond.toPrecision(4)),
    bothPerSecond: Number(both.perSecond.toPrecision(4)),
  };
}
