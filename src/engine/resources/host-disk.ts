import { meanOfTop, strengthOf, usualOf } from "../../analysis/robust-deviation.ts";
import { percent } from "../wording.ts";
import type { Deviation } from "./deviations.ts";
import { type ServiceMeasures, valuesOf } from "./service-measures.ts";

/** A disk of a machine that is busy now and was not in the baseline, while something on the machine takes longer. */
export interface BusyDisk {
  readonly host: string;
  readonly device: string;
  readonly deviation: Deviation;
  readonly text: string;
}

/** From half of the time on a request finds the disk at work as often as not: with one queue it takes twice as long (1 / (1 - 0.5)). */
const BUSY = 0.5;
/** Far outside of what was usual. */
const STRONG = 3;
/** Durations at the edge of the usual: enough beside a disk that tells why. */
const SLOWER = 1;
/** Share of the time in which an idle disk may be at work for other reasons without a word. */
const FLOOR = 0.1;

/**
 * Disks that machines tell of themselves (the collector's and node_exporter's figures name a host, no service), against
 * the baseline. Only where the duration of some service's requests or calls rose as well: a backup that nobody feels is
 * no fault. Most busy first; empty without a baseline.
 */
export function newlyBusyDisks(
  now: ServiceMeasures,
  before: ServiceMeasures | undefined,
  deviations: readonly Deviation[],
): BusyDisk[] {
  const isFelt = deviations.some(({ quantity, strength }) => quantity.endsWith("duration") && strength >= SLOWER);
  if (before === undefined || !isFelt) return [];
  const found: BusyDisk[] = [];
  for (const [host, measures] of now.hosts) {
    for (const { measure, resource: device, values } of measures) {
      if (measure !== "disk-busy") continue;
      const then = before.hosts.get(host)?.filter((one) => one.resource === device);
      const usual = usualOf(valuesOf(then, "disk-busy") ?? [], FLOOR);
      const known = values.filter((value) => Number.isFinite(value));
      if (usual === undefined || known.length === 0) continue;
      const level = meanOfTop(known, Math.max(1, known.length >> 1));
      const strength = strengthOf(level, usual);
      if (level < BUSY || strength < STRONG) continue;
      const text = `disk ${device} of ${host}: at work ${percent(level)} of the time in the worse half, usually ${percent(usual.median)} and seldom above ${percent(usual.median + usual.above)}`;
      const deviation: Deviation = {
        service: host,
        quantity: "disk-busy",
        resource: device,
        usual,
        now: level,
        strength,
        qValue: 0,
      };
      found.push({ host, device, deviation, text });
    }
  }
  return found.toSorted((a, b) => b.deviation.now - a.deviation.now);
}
