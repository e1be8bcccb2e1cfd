import { latencyModes, type LatencyMode } from "../../analysis/histogram-modes.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { exampleTraces, spanRows, type Case } from "../case.ts";
import type { Explanation, HotSpot } from "../hot-spot.ts";
import { sampledRows } from "../sampled-rows.ts";
import { ms, percent } from "../wording.ts";
import { mapToFloats } from "../../model/map-column.ts";

/** Spans that are looked at; more do not make a mode clearer. */
const MAX_ROWS = 5_000;

/**
 * Some calls take longer by a round, fixed time: a timer, not work. Known ones
 * are named (delayed ACK 40 ms, retransmission 200 ms, DNS 5 s); a sleep in the
 * code or a retry pause looks the same.
 */
export function explainFixedDelay(theCase: Case, spot: HotSpot): Explanation | undefined {
  const { window, view, ownNs } = theCase;
  const all = spanRows(window, spot.node).filter((row) => ownNs[row]! > 0);
  const rows = sampledRows(window, all, MAX_ROWS);
  if (rows.length < 50) return undefined;
  const modes = latencyModes(
    mapToFloats(rows, (row) => ownNs[row]!),
    Uint8Array.from(rows, (row) => window.facts.error[row]!),
  );
  const mode = modes.find(
    (m) => m.looksLike.kind === "fixed-delay" && m.share >= 0.003 && isSharp(m, m.looksLike.delayNs),
  );
  if (mode === undefined || mode.looksLike.kind !== "fixed-delay") return undefined;
  const delay = mode.looksLike.delayNs;
  const known = mode.looksLike.known;
  const delayed = all.filter(
    (row) => Math.abs(ownNs[row]! - mode.centreNs) <= Math.max(mode.widthNs, 0.1 * mode.centreNs),
  );
  const slow = new Set(view.slow);
  const inSlow =
    new Set(Array.from(delayed, (row) => window.forest.trace[row]!).filter((trace) => slow.has(trace))).size /
    Math.max(1, view.slow.length);
  const harmful = inSlow >= 0.2 || delay * mode.share >= 0.1 * view.p50;
  const isCall = spot.role === SpanRole.client || spot.role === SpanRole.database;
  const where = isCall
    ? `calls of ${spot.service} to ${spot.callee || spot.operation}`
    : `${spot.operation} of ${spot.service}`;
  return {
    mechanism: "fixed-delay",
    kind: "latency",
    subject: {
      service: spot.service,
      operation: spot.operation,
      ...(spot.statement === "" ? {} : { statement: spot.statement }),
    },
    title: `${percent(mode.share)} of the ${where} take ${ms(delay)} longer, always by the same amount: a timer`,
    why: `${mode.count} of ${rows.length} spans take ${ms(mode.centreNs)} within ${ms(mode.widthNs)}, ${ms(delay)} more than the rest${known === "round value" ? "" : ` (${known})`}; ${percent(inSlow)} of the slow requests are among them.`,
    confidence: harmful ? 0.88 : 0.35,
    harmful,
    nodes: [spot.node],
    undo: [{ kind: "own-time", rows: delayed, ownNs: mapToFloats(delayed, (row) => Math.max(0, ownNs[row]! - delay)) }],
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      { claim: `${spot.service} ${spot.operation}: ${ms(spot.slowNs)} of it`, evidence: [0] },
      { claim: `${ms(delay)} of that is a fixed wait`, evidence: [1] },
    ],
    evidence: [
      {
        kind: "trace",
        text: `requests with the wait: ${exampleTraces(theCase, [spot.node]).join(", ")}`,
        query: `own time of ${spot.service} ${spot.operation} near ${ms(mode.centreNs)}`,
      },
      { kind: "statistic", text: modeText(mode), query: `histogram of the own time of "${spot.operation}"` },
    ],
    counter:
      known === "round value"
        ? ["which timer it is does not show in spans: a sleep, a poll interval, a retry pause"]
        : [],
    refutedBy: "a histogram of more calls in which the second peak moves or widens",
    remedy: {
      text:
        known === "round value"
          ? `Search the code and settings of ${spot.service} for a wait, poll or retry pause of ${ms(delay)}.`
          : known.startsWith("delayed ACK")
            ? "Set TCP_NODELAY on both ends, or write each message at once: Nagle's algorithm waits for the delayed ACK."
            : `Check name resolution and packet loss on the way: ${known}.`,
    },
  };
}

/**
 * Narrow as a whole, or on the side of its beginning: after the timer a request may wait for a busy thread. Half of what is
 * spread evenly over the widest mode that is looked for (30 %) would lie 12 % below the median.
 */
const isSharp = ({ widthNs, riseNs }: LatencyMode, delayNs: number): boolean =>
  widthNs <= 0.1 * delayNs || riseNs <= 0.03 * delayNs;

const modeText = (m: LatencyMode): string =>
  `peak at ${ms(m.centreNs)}, ${ms(m.widthNs)} wide, ${percent(m.share)} of the spans${Number.isFinite(m.ratio) ? `, ${Math.round(m.ratio)}× as dense as beside it` : ""}`;
