import { frameText } from "../../analysis/frame-text.ts";
import type { StackTable } from "../../model/stack-table.ts";
import { oncePerWindow } from "../once-per-window.ts";
import type { Window } from "../window.ts";
import { percent } from "../wording.ts";

/** At 20 samples a share of 90 % is known to ± 13 %: fewer name no endpoint. */
const FEWEST = 20;
/** A second endpoint with less of them is not named. */
const SECOND = 0.2;

/**
 * Of which requests a function is a part, by the samples on whose stack it stands and whose span is known: "it runs in GET /search
 * (97 % of 222 samples in it that carry a span's id)". Samples of allocations carry no span, so this is how an endpoint is known
 * by what allocates. "" where it was seen too seldom. trace: per sample the trace of its span, -1 for none.
 */
export function endpointsOfFunction(window: Window, stacks: StackTable, trace: Int32Array, frame: string): string {
  const isWithin = stacksWith(stacks, frame);
  const endpointOf = endpointOfTrace(window);
  const counts = new Map<number, number>();
  let all = 0;
  for (const [sample, of] of trace.entries()) {
    const stack = stacks.samples.stack[sample]!;
    if (of < 0 || stack < 0 || isWithin[stack] === 0) continue;
    all++;
    const endpoint = endpointOf[of]!;
    if (endpoint >= 0) counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1);
  }
  const [first, second] = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  if (first === undefined || all < FEWEST) return "";
  const named = ([endpoint, count]: readonly [number, number], of = ""): string =>
    `${window.text(window.endpoints[endpoint]!.operation)} (${percent(count / all)}${of})`;
  const also = second !== undefined && second[1] >= SECOND * all ? ` and ${named(second)}` : "";
  return `it runs in ${named(first, ` of ${all.toLocaleString("en")} samples in it that carry a span's id`)}${also}`;
}

/** Per stack: 1 where the frame stands on it. */
function stacksWith(table: StackTable, text: string): Uint8Array {
  const { frames, stacks } = table;
  const isFrame = Uint8Array.from({ length: frames.rowCount }, (_, frame) => Number(frameText(table, frame) === text));
  const found = new Uint8Array(stacks.rowCount);
  for (let row = 0; row < stacks.rowCount; row++) {
    // Parents stand before their children.
    const parent = stacks.parent[row]!;
    found[row] = isFrame[stacks.frame[row]!]! | (parent < 0 ? 0 : found[parent]!);
  }
  return found;
}

const endpointOfTrace = oncePerWindow(({ endpoints }): Int32Array => {
  const last = endpoints.reduce((most, { traces }) => traces.reduce((a, b) => Math.max(a, b), most), -1);
  const found = new Int32Array(last + 1).fill(-1);
  for (const [index, { traces }] of endpoints.entries()) for (const trace of traces) found[trace] = index;
  return found;
});
