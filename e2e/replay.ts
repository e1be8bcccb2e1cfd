import { loadInputs, type LoadedInputs } from "../src/formats/load-inputs.ts";
import { otlpMetricLines } from "../src/formats/write-otlp-metrics-json.ts";
import { otlpTraceLines } from "../src/formats/write-otlp-traces-json.ts";
import { unixNs, type UnixNs } from "../src/model/units.ts";

export interface Replayed {
  readonly spans: number;
  readonly points: number;
  /** of the first and the last span, as they were sent */
  readonly firstUnixNs: bigint;
  readonly lastUnixNs: bigint;
}

/** Sends a recording to an OTLP/HTTP receiver as if it had just happened: its last span begins at `endUnixNs`. */
export async function replay(folder: string, otlpUrl: string, endUnixNs: bigint, token?: string): Promise<Replayed> {
  const { spans, metrics } = await loaded(folder);
  const last = spans.startOffsetNs.reduce((most, at) => Math.max(most, at), Number.NEGATIVE_INFINITY);
  const first = spans.startOffsetNs.reduce((least, at) => Math.min(least, at), Number.POSITIVE_INFINITY);
  const later = endUnixNs - spans.baseUnixNs - BigInt(last);
  const moved = (base: UnixNs): UnixNs => unixNs(base + later);
  const requests: [string, Iterable<string>][] = [
    ["/v1/traces", otlpTraceLines({ ...spans, baseUnixNs: moved(spans.baseUnixNs) })],
    ["/v1/metrics", otlpMetricLines({ ...metrics, baseUnixNs: moved(metrics.baseUnixNs) })],
  ];
  for (const [path, lines] of requests) {
    for (const line of lines) await post(`${otlpUrl}${path}`, line, token);
  }
  return {
    spans: spans.rowCount,
    points: metrics.points.rowCount,
    firstUnixNs: endUnixNs - BigInt(last - first),
    lastUnixNs: endUnixNs,
  };
}

async function post(url: string, body: string, token: string | undefined): Promise<void> {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...authorization },
    body,
  });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  const { partialSuccess } = (await answer.json()) as { partialSuccess?: { errorMessage?: string } };
  if (partialSuccess?.errorMessage) throw new Error(`${url}: ${partialSuccess.errorMessage}`);
}

async function loaded(folder: string): Promise<LoadedInputs> {
  const loading = loadInputs([folder]);
  for (;;) {
    const step = await loading.next();
    if (step.done === true) return step.value;
  }
}
