import type { Gate } from "./littles-law.ts";

/** Sampling of counters puts a full window a little above 1 now and then. */
const MAX_UTILISATION = 1.1;
/** Beyond this a unit is wrong rather than a window short. */
const MAX_SHARE_ABOVE = 0.02;
/** The busy time per request may exceed what spans show of the resource by background work and by spans that are missing. */
const MAX_DEMAND_RATIO = 3;
/** What a process does besides (timers, its telemetry, collecting garbage) takes less of its capacity than this. */
const MAX_EXCESS = 0.1;

export interface UtilisationCheck {
  /** for the detail: "cpu of orders" */
  readonly name: string;
  /** share of the capacity in use, per window */
  readonly utilisation: Float64Array;
  /** busy capacity × time per request, by the metric; seconds */
  readonly demandS: number;
  /** the most that a request can have used of it, by its spans: its time there; seconds. Infinity where spans do not tell */
  readonly residenceS: number;
  /** share of the capacity that is busy beyond what spans show */
  readonly excess: number;
}

/**
 * Utilisation law U = X D (Denning & Buzen 1978) held against spans: no window may use more than there is, and
 * a request cannot be worked on for longer than it is there. A unit that is wrong by 1,000 breaks one of them.
 */
export function utilisationLaw({ name, utilisation, demandS, residenceS, excess }: UtilisationCheck): Gate {
  const above = utilisation.filter((u) => !(u >= 0 && u <= MAX_UTILISATION)).length;
  const worst = utilisation.reduce((most, u) => Math.max(most, u), 0);
  if (above > MAX_SHARE_ABOVE * utilisation.length) {
    const detail = `${name}: ${above} of ${utilisation.length} windows use more than there is, up to ${worst.toPrecision(3)} times; a unit or a capacity is wrong`;
    return { name: "utilisation-law", ok: false, error: worst - 1, detail };
  }
  const ratio = residenceS > 0 ? demandS / residenceS : Infinity;
  if (demandS > 0 && ratio > MAX_DEMAND_RATIO && excess > MAX_EXCESS) {
    const detail = `${name}: ${ms(demandS)} busy per request, but a request is there for ${ms(residenceS)} only; a unit is wrong, other work uses it, or spans are missing`;
    return { name: "utilisation-law", ok: false, error: ratio - 1, detail };
  }
  const detail = `${name}: at most ${(worst * 100).toFixed(0)} % in use, ${ms(demandS)} per request`;
  return { name: "utilisation-law", ok: true, error: 0, detail };
}

const ms = (seconds: number): string => `${Number((seconds * 1e3).toPrecision(3))} ms`;
