import { quantileOf } from "../../analysis/weighted-quantile.ts";
import { legsByEdge, type EdgeLegs } from "../legs.ts";
import type { Window } from "../window.ts";
import { count, ms, percent } from "../wording.ts";
import { NOTHING, together, type CheckResult, type ConfigurationCheck } from "./configuration-check.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** Fewer calls that were given up tell no limit. */
const MIN_GIVEN_UP = 10;
/** A twentieth of a service's time for answers that nobody reads is worth a change. */
const MIN_WASTED = 0.05;
const MARGIN = 1.2;

/**
 * A caller that gives up before the callee is done: its timeout is shorter than what the callee takes, and the rest of the
 * work is for nobody, and often done again by a retry.
 */
export const abandonedWork: ConfigurationCheck = {
  what: "timeouts against the callee's time",
  run: ({ window }) => together([...legsByEdge(window).values()].map((legs) => judge(window, legs))),
};

function judge(window: Window, legs: EdgeLegs): CheckResult {
  const { forest, facts, text } = window;
  let [wasted, all] = [0, 0];
  const limits: number[] = [];
  const own = mapToFloats(legs.server, (row) => forest.endNs[row]! - forest.startNs[row]!);
  legs.client.forEach((row, i) => {
    const server = legs.server[i]!;
    all += own[i]!;
    const over = forest.endNs[server]! - forest.endNs[row]!;
    if (facts.error[row] !== 1 || over <= forest.toleranceNs[server]!) return;
    wasted += over;
    limits.push(forest.endNs[row]! - forest.startNs[row]!);
  });
  const [caller, callee] = [text(legs.caller), text(legs.callee)];
  if (legs.client.length < 50) return NOTHING;
  const p99 = quantileOf(own, 0.99);
  if (limits.length < MIN_GIVEN_UP || wasted < MIN_WASTED * all) {
    const text = `${caller} to ${callee}: ${limits.length} of ${count(legs.client.length)} calls were given up while ${callee} worked on (p99 ${ms(p99)})`;
    return { problems: [], fine: [{ text, tightness: wasted / Math.max(1, all) / MIN_WASTED }] };
  }
  const limit = quantileOf(Float64Array.from(limits), 0.5);
  const need = Math.ceil((MARGIN * p99) / 1e7) * 10;
  const loss = limits.length / legs.client.length;
  return {
    problems: [
      {
        service: caller,
        resource: `edge:${caller}->${callee}`,
        setting: "timeout",
        change: `timeout: ${Math.round(limit / 1e6)} ms -> ${need} ms`,
        mechanism: "timeout",
        saidAs: new Set(["timeout", "retries", "error-handling"]),
        alsoSaidOf: [callee],
        arithmetic: `${caller} gives up after ${ms(limit)}, ${callee} takes up to ${ms(p99)} (p99): ${percent(wasted / all)} of its time is work on after that`,
        title: `${caller} gives up on ${callee} after ${ms(limit)}, while it takes up to ${ms(p99)}`,
        remedy: `Wait as long as ${callee} usually takes, or pass the deadline on with the call, so that ${callee} stops when nobody waits any more.`,
        reference: "Beyer et al., Site Reliability Engineering, chapter 22: deadline propagation",
        query: `SERVER spans of ${callee} that end after their failed CLIENT span of ${caller}`,
        refutedBy: `the clocks of the two hosts are apart by ${ms(wasted / limits.length)}`,
        confidence: 0.8,
        harm: {
          text: `${count(limits.length)} of ${count(legs.client.length)} calls (${percent(loss)}) were given up while ${callee} worked on`,
          loss,
        },
      },
    ],
    fine: [],
  };
}
