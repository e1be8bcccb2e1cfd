import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import Type, { type Static } from "typebox";
import { StoreError } from "../../store/store-error.ts";
import type { ServerContext } from "../context.ts";
import { callerSignal } from "../http/caller-signal.ts";
import { HttpError } from "../http/http-error.ts";
import type { QueryLimit } from "../http/query-limit.ts";
import { type Answer, evaluateAt, evaluateRange, type MatrixSeries } from "../promql/evaluate.ts";
import type { Matcher } from "../promql/expression.ts";
import { type Labels, toObject } from "../promql/labels.ts";
import { parseMatchers, parsePromql } from "../promql/parse-promql.ts";
import { PromqlError } from "../promql/promql-error.ts";
import { matchingLabels, MOST_SERIES } from "../promql/series-source.ts";

/** Parameters come in the address or as a form; those that mean nothing here are let through, as Prometheus does. */
const Parameters = Type.Object({
  query: Type.Optional(Type.String({ maxLength: 20_000 })),
  time: Type.Optional(Type.String({ maxLength: 40 })),
  start: Type.Optional(Type.String({ maxLength: 40, description: "seconds since 1970, or RFC 3339" })),
  end: Type.Optional(Type.String({ maxLength: 40 })),
  step: Type.Optional(Type.String({ maxLength: 40, description: "seconds, or a duration as 15s" })),
  "match[]": Type.Optional(Type.Array(Type.String({ maxLength: 20_000 }), { maxItems: 100 })),
  metric: Type.Optional(Type.String({ maxLength: 2000 })),
  limit: Type.Optional(Type.String({ pattern: "^\\d{1,9}$" })),
});
type Parameters = Static<typeof Parameters>;

/** As Prometheus has it: more cannot be drawn. */
const MOST_STEPS = 11_000;
const DAY_MS = 86_400_000;

/** The part of Prometheus' API that Grafana's data source asks: https://prometheus.io/docs/prometheus/latest/querying/api/ */
export function addPrometheusRoutes(app: FastifyInstance, context: ServerContext, queries: QueryLimit): void {
  const { lookup } = context.store;
  const nowMs = (): number => Number(context.nowUnixNs() / 1_000_000n);

  void app.register(async (scope) => {
    scope.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_, body, done) => {
      done(null, formOf(new URLSearchParams(String(body))));
    });

    const add = (
      path: string,
      summary: string,
      answer: (given: Parameters, signal: AbortSignal, request: FastifyRequest) => Promise<unknown>,
    ): void => {
      const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
        const given = { ...(request.query as Parameters), ...(request.body as Parameters | undefined) };
        try {
          const data = await queries.run(callerSignal(reply), (signal) => answer(given, signal, request));
          return { status: "success", data };
        } catch (error) {
          const { status, kind, message } = failureOf(error);
          return reply.code(status).send({ status: "error", errorType: kind, error: message });
        }
      };
      const schema = { summary: `${summary}, as Prometheus answers`, tags: ["prometheus"] };
      scope.get(`/prometheus/api/v1/${path}`, { schema: { ...schema, querystring: Parameters } }, handler);
      scope.post(
        `/prometheus/api/v1/${path}`,
        {
          schema: {
            ...schema,
            querystring: Parameters,
            body: Type.Union([Parameters, Type.Null()]),
            consumes: ["application/x-www-form-urlencoded"],
          },
        },
        handler,
      );
    };

    add("query", "A question in PromQL at one time", async ({ query, time }, signal) => {
      const timeMs = time === undefined ? nowMs() : timeOf("time", time);
      return resultOf(await evaluateAt(lookup, parsePromql(needed("query", query)), timeMs, signal), timeMs);
    });

    add("query_range", "A question in PromQL at the steps of a range", async ({ query, start, end, step }, signal) => {
      const [startMs, endMs] = [timeOf("start", needed("start", start)), timeOf("end", needed("end", end))];
      const stepMs = durationOf("step", needed("step", step));
      if (endMs < startMs)
        throw new PromqlError("bad_data", `invalid parameter "end": end timestamp must not be before start time`);
      if (!(stepMs > 0))
        throw new PromqlError(
          "bad_data",
          `invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer`,
        );
      if ((endMs - startMs) / stepMs > MOST_STEPS)
        throw new PromqlError(
          "bad_data",
          `exceeded maximum resolution of ${MOST_STEPS} points per timeseries. Try decreasing the query resolution (?step=XX)`,
        );
      const series = await evaluateRange(
        lookup,
        parsePromql(needed("query", query)),
        { startMs, endMs, stepMs },
        signal,
      );
      return { resultType: "matrix", result: series.map(matrixRow) };
    });

    /** Label sets of the series that any of the selectors names; of all where none is given. */
    const sets = async (given: Parameters, signal: AbortSignal): Promise<readonly Labels[]> => {
      const { start } = given;
      const sinceMs = start === undefined ? nowMs() - DAY_MS : timeOf("start", start);
      const selectors: (readonly Matcher[])[] = (given["match[]"] ?? []).map(parseMatchers);
      const found = new Map<string, Labels>();
      for (const matchers of selectors.length === 0 ? [[]] : selectors)
        for (const labels of await matchingLabels(lookup, matchers, sinceMs, signal)) found.set(labels.key, labels);
      return [...found.values()];
    };
    const limited = <T>(rows: T[], { limit }: Parameters): T[] =>
      limit === undefined || limit === "0" ? rows : rows.slice(0, Number(limit));

    add("series", "Label sets of series", async (given, signal) => {
      if ((given["match[]"] ?? []).length === 0) throw new PromqlError("bad_data", "no match[] parameter provided");
      return limited((await sets(given, signal)).map(toObject), given);
    });

    add("labels", "Names of labels", async (given, signal) => {
      const names = (await sets(given, signal)).flatMap(({ pairs }) => pairs.map(([name]) => name));
      return limited([...new Set(names)].sort(), given);
    });

    add("label/:name/values", "Values of a label", async (given, signal, request) => {
      const { name } = request.params as { name: string };
      if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name))
        throw new PromqlError("bad_data", `invalid label name: ${JSON.stringify(name)}`);
      const values = (await sets(given, signal)).flatMap(({ pairs }) =>
        pairs.filter(([held]) => held === name).map(([, value]) => value),
      );
      return limited([...new Set(values)].sort(), given);
    });

    add("metadata", "Types of metrics", async ({ metric, limit }, signal) => {
      const since = BigInt(nowMs() - DAY_MS) * 1_000_000n;
      const series = await lookup.series(since, metric === undefined ? undefined : [metric], MOST_SERIES, signal);
      const byName = new Map(
        series.map(({ name, unit, kind, monotonic }) => [
          name.replace(/[^a-zA-Z0-9_:]/g, "_"),
          [{ type: TYPES[kind] === "sum" ? (monotonic ? "counter" : "gauge") : TYPES[kind], help: "", unit }],
        ]),
      );
      return Object.fromEntries(limited([...byName], limit === undefined ? {} : { limit }));
    });

    // Grafana tells by the version what it may ask.
    add("status/buildinfo", "The version of Prometheus whose answers these are", async () => ({
      version: "2.42.0",
      revision: "longpole",
      branch: context.version,
      buildUser: "",
      buildDate: "",
      goVersion: "",
    }));
  });
}

const TYPES = ["gauge", "sum", "histogram", "histogram", "summary"];

/** A form's fields as parameters; `match[]` may be repeated. */
function formOf(fields: URLSearchParams): Parameters {
  const matches = fields.getAll("match[]");
  return { ...Object.fromEntries(fields), ...(matches.length === 0 ? {} : { "match[]": matches }) };
}

function needed(name: string, value: string | undefined): string {
  if (value === undefined || value === "")
    throw new PromqlError("bad_data", `invalid parameter "${name}": it is missing`);
  return value;
}

function timeOf(name: string, text: string): number {
  const ms = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text)
    ? Math.round(Number(text) * 1000)
    : /^\d{4}-\d{2}-\d{2}T/.test(text)
      ? Date.parse(text)
      : NaN;
  // Beyond, nanoseconds do not fit 64 bits.
  if (!(Math.abs(ms) < 9e15 / 1000))
    throw new PromqlError(
      "bad_data",
      `invalid parameter "${name}": cannot parse ${JSON.stringify(text)} to a valid timestamp`,
    );
  return ms;
}

function durationOf(name: string, text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  const parsed = /^(\d+(ms|[smhdwy]))+$/.test(text) ? parsePromql(`x offset ${text}`) : undefined;
  if (parsed?.kind !== "selector")
    throw new PromqlError(
      "bad_data",
      `invalid parameter "${name}": cannot parse ${JSON.stringify(text)} to a valid duration`,
    );
  return parsed.offsetMs;
}

function resultOf(answer: Answer, timeMs: number): object {
  switch (answer.kind) {
    case "scalar":
      return { resultType: "scalar", result: sampleOf(timeMs, answer.value) };
    case "string":
      return { resultType: "string", result: [timeMs / 1000, answer.value] };
    case "vector":
      return {
        resultType: "vector",
        result: answer.vector.map(({ labels, value }) => ({
          metric: toObject(labels),
          value: sampleOf(timeMs, value),
        })),
      };
    case "matrix":
      return { resultType: "matrix", result: answer.series.map(matrixRow) };
  }
}

const matrixRow = ({ labels, values }: MatrixSeries): object => ({
  metric: toObject(labels),
  values: values.map(([timeMs, value]) => sampleOf(timeMs, value)),
});

const sampleOf = (timeMs: number, value: number): [number, string] => [
  timeMs / 1000,
  value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value),
];

/** Failures as Prometheus tells them; what is none of a question stays what it is. */
function failureOf(error: unknown): { status: number; kind: string; message: string } {
  if (error instanceof PromqlError)
    return { status: error.kind === "bad_data" ? 400 : 422, kind: error.kind, message: error.message };
  if (error instanceof HttpError && error.status === 504)
    return { status: 503, kind: "timeout", message: error.message };
  if (error instanceof StoreError && error.code === "too-large")
    return { status: 422, kind: "execution", message: error.message };
  // Of a pattern that is none, the engine says what is wrong with it: CANNOT_COMPILE_REGEXP.
  if (error instanceof StoreError && error.engineCode === 427)
    return { status: 400, kind: "bad_data", message: error.message };
  throw error;
}
