import type { RequestPart, RequestSample } from "../../model/page.ts";
import type { Box } from "../state/page-state.ts";

/** What the time of the requests in a box goes to, against that of all others. */
export interface BoxComparison {
  /** requests that were looked at, and that they stand for */
  readonly inside: { readonly requests: number; readonly weight: number; readonly meanMs: number };
  readonly outside: { readonly requests: number; readonly weight: number; readonly meanMs: number };
  /** mean milliseconds per request, the greatest difference first */
  readonly parts: readonly { readonly part: RequestPart; readonly insideMs: number; readonly outsideMs: number }[];
}

/** startUnixMs: the time zero of `requests.startMs`. Weighted means; sums of the parts are the means of the durations. */
export function compareBox(requests: RequestSample, startUnixMs: number, box: Box): BoxComparison {
  const sums = [new Float64Array(requests.parts.length), new Float64Array(requests.parts.length)] as const;
  const count = [0, 0];
  const weight = [0, 0];
  const duration = [0, 0];
  for (let i = 0; i < requests.startMs.length; i++) {
    const side = isInside(requests, startUnixMs, i, box) ? 0 : 1;
    const w = requests.weight[i]!;
    count[side]!++;
    weight[side]! += w;
    duration[side]! += w * requests.durationMs[i]!;
    for (let j = requests.partStart[i]!; j < requests.partStart[i + 1]!; j++) {
      sums[side][requests.part[j]!]! += w * requests.partMs[j]!;
    }
  }
  const mean = (sum: number, side: 0 | 1): number => (weight[side]! > 0 ? sum / weight[side]! : 0);
  const of = (side: 0 | 1): BoxComparison["inside"] => ({
    requests: count[side]!,
    weight: weight[side]!,
    meanMs: mean(duration[side]!, side),
  });
  return {
    inside: of(0),
    outside: of(1),
    parts: requests.parts
      .map((part, i) => ({ part, insideMs: mean(sums[0][i]!, 0), outsideMs: mean(sums[1][i]!, 1) }))
      .toSorted((a, b) => Math.abs(b.insideMs - b.outsideMs) - Math.abs(a.insideMs - a.outsideMs)),
  };
}

function isInside(requests: RequestSample, startUnixMs: number, i: number, box: Box): boolean {
  const at = startUnixMs + requests.startMs[i]!;
  const long = requests.durationMs[i]!;
  return at >= box.fromMs && at <= box.toMs && long >= box.shortestMs && long <= box.longestMs;
}
