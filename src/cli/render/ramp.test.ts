import { expect, test } from "vitest";
import { renderRamp, type ShownRamp } from "./ramp.ts";

const RAMP: ShownRamp = {
  target: "http://127.0.0.1:8080/orders",
  requests: 1,
  arrivals: "poisson",
  seed: 1,
  objective: null,
  stop: { reason: "knee", detail: "the knee was found" },
  knee: { lowPerSecond: 180, highPerSecond: 190, reason: "queue-grows", detail: "grew" },
  ceiling: { perSecond: 187, lowPerSecond: 180, highPerSecond: 191, from: "overload", collapsesToPerSecond: null },
  usl: {
    status: "no-peak",
    detail: "no peak: throughput does not fall with more load in these data",
    alpha: 0.473,
    beta: 0,
    peakLoad: null,
    peakThroughput: null,
    limit: 188,
  },
  limiter: { status: "no-telemetry", detail: "no telemetry was received" },
  generator: { ok: true, mostBusy: 0.1, mostLateP99Ms: 3 },
  seconds: 61,
  recorded: null,
  steps: [
    step({ perSecond: 180, throughputPerSecond: 180, p99Ms: 50 }),
    step({ perSecond: 360, throughputPerSecond: 187, p99Ms: 2900, inFlight: 278, verdict: "queue-grows" }),
    step({ perSecond: 90, throughputPerSecond: 90, p99Ms: 25 }),
  ],
};

function step(given: Partial<ShownRamp["steps"][number]>): ShownRamp["steps"][number] {
  const times = { p50Ms: 7, p95Ms: 13, p99Ms: 20 };
  const counts = { inFlight: 0.5, failures: 0, requests: 100 };
  return { perSecond: 1, throughputPerSecond: 1, ...times, ...counts, verdict: "steady", recovered: true, ...given };
}

const drawn = (given: Partial<ShownRamp> = {}, width = 100): string[] =>
  renderRamp({ ...RAMP, ...given }, { width, colour: false, ascii: false }, "longpole");

test("the answer first, then the steps by their rate", () => {
  expect(drawn()).toMatchInlineSnapshot(`
    [
      "Sustains 180/s, and no longer 190/s (queue grows)",
      "  Ceiling 187/s (180–191/s): what it answered while its queue grew.",
      "  Stopped after 1 min 1 s: the knee was found.",
      "",
      "Load against throughput and latency  http://127.0.0.1:8080/orders · poisson · seed 1 ───────────────",
      "   offered answered                   p50      p95      p99              in flight",
      "    90.0/s   90.0/s █████▊        7.00 ms  13.0 ms  25.0 ms ███                0.5  steady",
      "     180/s    180/s ███████████▌  7.00 ms  13.0 ms  50.0 ms ██████             0.5  steady",
      "     360/s    187/s ████████████  7.00 ms  13.0 ms   2.90 s ████████████       278  queue grows",
      "",
      "Scalability law  of the steady steps; its load is the requests in flight ───────────────────────────",
      "  Throughput approaches 188/s (contention 0.473, coherency 0.00); no peak: throughput does not fall",
      "  with more load in these data.",
      "",
      "What limits  by the traces and metrics at the knee ─────────────────────────────────────────────────",
      "  No telemetry was received.",
    ]
  `);
});

test("a narrow terminal gets no bars, and nothing is wider than it", () => {
  expect(drawn({}, 76).join("\n")).not.toContain("█");
  for (const width of [76, 100, 140])
    for (const line of drawn({}, width)) expect(line.length, line).toBeLessThanOrEqual(width);
});

test.each<[Partial<ShownRamp>, string]>([
  [
    { knee: { lowPerSecond: null, highPerSecond: 10, reason: "errors", detail: "" } },
    "Does not sustain 10.0/s (errors)",
  ],
  [
    { knee: { lowPerSecond: 70, highPerSecond: null, reason: null, detail: null }, ceiling: null },
    "Sustains 70.0/s; how much more cannot be told",
  ],
  [
    {
      knee: { lowPerSecond: 70, highPerSecond: null, reason: null, detail: null },
      stop: { reason: "max-rate", detail: "" },
    },
    "Sustains 70.0/s, the largest rate that was wanted",
  ],
  [
    { knee: { lowPerSecond: null, highPerSecond: null, reason: null, detail: null }, steps: [], ceiling: null },
    "Cannot tell what it sustains",
  ],
])("case %#", (given, answer) => {
  expect(drawn(given)[0]).toBe(answer);
});
