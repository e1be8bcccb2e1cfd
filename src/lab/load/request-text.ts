import { Random } from "../../analysis/random.ts";
import { ENDPOINT_NAMES, type DrawnRequests } from "./draw-requests.ts";
import { ACCOUNTS, missingName, recordName, ZONES, type NewRecord } from "./population.ts";
import type { OutgoingRequest } from "../../load/send-open-loop.ts";
import { zipf } from "./zipf.ts";

/** Bodies are text, which tests read. */
export type LabRequest = OutgoingRequest & { readonly body?: string };

export interface TextSettings {
  /** records there are to be looked up */
  readonly records: number;
  readonly pointsPerBatch: number;
  readonly seed: number;
}

/** Web caches see exponents from 0.64 to 0.83 (Breslau et al., INFOCOM 1999); names of hosts are asked for a little less evenly. */
const POPULARITY = 0.9;
/** A prime that divides neither ACCOUNTS nor ZONES: spreads the popular ones over all ids, so that they share no page. */
const SPREAD = 7919;

const METRICS = ["cpu.busy", "memory.used", "disk.read.bytes", "disk.write.bytes", "net.in.bytes", "net.out.bytes"];
const REGIONS = ["eu", "us", "ap"];
const HOSTS = 400;

/** Writes row `row` of drawn requests; points are stamped around `nowUnixMs`. */
export function requestWriter(
  requests: DrawnRequests,
  { records, pointsPerBatch, seed }: TextSettings,
): (row: number, nowUnixMs: number) => LabRequest {
  const zones = popularIds(ZONES);
  const accounts = popularIds(ACCOUNTS);
  return (row, nowUnixMs) => {
    const target = requests.target[row]!;
    switch (ENDPOINT_NAMES[requests.endpoint[row]!]!) {
      case "lookup": {
        const n = Math.floor(target * records);
        const name = requests.missing[row] === 1 ? missingName(n) : recordName(n);
        return { method: "GET", path: `/api/records/${name}` };
      }
      case "list":
        return { method: "GET", path: `/api/zones/${zones(target)}/records` };
      case "create": {
        const body = JSON.stringify(newRecord(`new-${seed}-${row}.example`, requests.bodySeed[row]!));
        return {
          method: "POST",
          path: `/api/zones/${zones(target)}/records`,
          headers: { "content-type": "application/json" },
          body,
        };
      }
      case "overview":
        return { method: "GET", path: `/api/accounts/${accounts(target)}/overview` };
      case "points": {
        const body = pointLines(pointsPerBatch, new Random(requests.bodySeed[row]!), nowUnixMs);
        return { method: "POST", path: "/api/points", headers: { "content-type": "text/plain" }, body };
      }
    }
  };
}

/** Id from 1 to n at a uniform draw, by popularity. */
function popularIds(n: number): (uniform: number) => number {
  const rank = zipf(n, POPULARITY);
  return (uniform) => 1 + ((rank(uniform) * SPREAD) % n);
}

function newRecord(name: string, bits: number): NewRecord {
  return { name, type: "A", content: `10.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`, ttl: 300 };
}

/** One line per point: `metric,host=h12,region=eu value timestampMs`, within the last ten seconds. */
function pointLines(count: number, random: Random, nowUnixMs: number): string {
  let lines = "";
  for (let i = 0; i < count; i++) {
    const metric = random.below(METRICS.length);
    const host = random.below(HOSTS);
    // Shares with two decimals, bytes as whole numbers: both forms that a parser meets.
    const value = metric < 2 ? (random.uniform() * 100).toFixed(2) : random.below(50_000_000);
    const region = REGIONS[host % REGIONS.length]!;
    lines += `${METRICS[metric]!},host=h${host},region=${region} ${value} ${nowUnixMs - random.below(10_000)}\n`;
  }
  return lines;
}
