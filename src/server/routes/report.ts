import { isDeepStrictEqual } from "node:util";
import type { FastifyInstance, FastifyReply } from "fastify";
import { parseObjective, type Objective } from "../../engine/objective.ts";
import { ReportSchema } from "../api/report.ts";
import { WhatIf, WhatIfBody } from "../api/what-if.ts";
import { PageEventsQuery, ReportQuery } from "../api/window-query.ts";
import type { ServerContext } from "../context.ts";
import { callerSignal } from "../http/caller-signal.ts";
import { EventStream } from "../http/event-stream.ts";
import { HttpError, isStoreAway, problemOf, storeStarts } from "../http/http-error.ts";
import { baselineOf, rangeOf } from "../http/window-of.ts";
import type { Listener } from "../live/analyst.ts";
import type { LiveQuery } from "../live/live-diagnosis.ts";

/** Diagnoses of a window, at once or with their progress, and predictions. */
export function addReportRoutes(app: FastifyInstance, context: ServerContext): void {
  const { analyst, findings } = context;

  const report: Answering = async ({ query, endsNow }, listener) => {
    const answer = await orLast(context, "report", query, endsNow, () =>
      analyst.ask({ kind: "report", query }, listener),
    );
    if (answer.staleSinceUnixNs === undefined) await findings.keep(query, answer.json);
    return answer;
  };

  /** A page whose caller went away, still computed for who opens it next. */
  let left: { readonly query: LiveQuery; readonly abort: AbortController } | undefined;

  const page: Answering = async ({ query, endsNow }, { signal, ...listener }) => {
    // Told while what was acknowledged was waited for.
    signal?.throwIfAborted();
    // One at a time: the answer to the last question is the one that somebody may come back for.
    if (left !== undefined && !isDeepStrictEqual(left.query, query))
      left.abort.abort(new Error("another page is asked for"));
    const own = { query, abort: new AbortController() };
    const leave = (): void => {
      if (left !== undefined || analyst.waiting > 1) own.abort.abort(signal!.reason);
      else left = own;
    };
    signal?.addEventListener("abort", leave, { once: true });
    try {
      return await orLast(context, "page", query, endsNow, () =>
        analyst.ask({ kind: "page", query, producer: context.version }, { ...listener, signal: own.abort.signal }),
      );
    } finally {
      signal?.removeEventListener("abort", leave);
      if (left === own) left = undefined;
    }
  };

  /** what the log was told last of those who were asked to come again: they do so every few seconds */
  let toldLast = "";

  /**
   * Work as events: how far it is, what is known by then, and the answer by the name of `kind`. Who is given the answer of
   * before first, which is whole, needs no part of the next.
   */
  async function sendEvents(
    reply: FastifyReply,
    kind: "report" | "page",
    question: Question,
    work: Answering,
    fromHeld = false,
  ): Promise<void> {
    const events = new EventStream(reply);
    try {
      const isHeld = fromHeld && (await sendHeld(events, context, kind, question));
      if (context.storeState() === "ready") await context.ingest.settle();
      const { json } = await work(question, {
        signal: events.signal,
        progress: (stage, done, total) => {
          if (!events.isBehind) events.send("progress", JSON.stringify({ stage, done, total }));
        },
        ...(isHeld ? {} : { partial: (part: string) => events.send("partial", part) }),
      });
      events.send(kind, json);
      toldLast = "";
    } catch (error) {
      const { problem, headers } = problemOf(error);
      const again = headers["retry-after"];
      const isTold = again !== undefined && toldLast === problem.detail;
      if (problem.status >= 500 && !events.signal.aborted && !isTold) {
        context.log("error", `${kind} failed`, { error });
        toldLast = problem.detail;
      }
      // Events have no header for it.
      const retry = again === undefined ? {} : { retryAfterSeconds: Number(again) };
      events.send("problem", JSON.stringify({ ...problem, ...retry }));
    }
    events.end();
  }

  app.get<{ Querystring: ReportQuery }>(
    "/api/v1/report",
    {
      schema: {
        summary: "The diagnosis of a window of time",
        tags: ["report"],
        querystring: ReportQuery,
        response: { 200: ReportSchema },
        answerHeaders: STALE_HEADER,
      },
    },
    async ({ query }, reply) =>
      sendAnswer(reply, await report(questionOf(query, context), { signal: callerSignal(reply) })),
  );

  app.get<{ Querystring: ReportQuery }>(
    "/api/v1/report/events",
    {
      schema: {
        summary:
          "The same as events: progress {stage, done, total}, partial (a report from a sample, where the window is large), report, or problem (with retryAfterSeconds where it is worth asking again)",
        tags: ["report"],
        querystring: ReportQuery,
        produces: ["text/event-stream"],
      },
      config: { settlesItself: true },
    },
    ({ query }, reply) => sendEvents(reply, "report", questionOf(query, context), report),
  );

  app.get<{ Querystring: ReportQuery }>(
    "/api/v1/page",
    {
      schema: {
        summary: "The diagnosis with what a person looks into: heat maps, requests, flame graphs, maps (longpole.page)",
        tags: ["report"],
        querystring: ReportQuery,
        answerHeaders: STALE_HEADER,
      },
    },
    async ({ query }, reply) =>
      sendAnswer(reply, await page(questionOf(query, context), { signal: callerSignal(reply) })),
  );

  app.get<{ Querystring: PageEventsQuery }>(
    "/api/v1/page/events",
    {
      schema: {
        summary:
          "The same as events: held {madeUnixNs, page} (the answer of before, where it is asked for and there is one), progress {stage, done, total}, partial (the page before fixes were tried), page, or problem (with retryAfterSeconds where it is worth asking again)",
        tags: ["report"],
        querystring: PageEventsQuery,
        produces: ["text/event-stream"],
      },
      config: { settlesItself: true },
    },
    ({ query: { held, ...query } }, reply) => sendEvents(reply, "page", questionOf(query, context), page, held),
  );

  app.post<{ Body: WhatIfBody }>(
    "/api/v1/what-if",
    {
      schema: {
        summary: "Percentiles and ceiling of a window under changes",
        tags: ["report"],
        body: WhatIfBody,
        response: { 200: WhatIf },
      },
    },
    async ({ body }, reply) => {
      const { changes, ...window } = body;
      const range = rangeOf(window, context.nowUnixNs());
      return sendJson(reply, await analyst.ask({ kind: "what-if", range, changes }, { signal: callerSignal(reply) }));
    },
  );
}

/** What is asked, and whether its window ends at the time of asking. */
interface Question {
  readonly query: LiveQuery;
  readonly endsNow: boolean;
}

interface Answer {
  readonly json: string;
  /** when it was made, of the answer of before; absent from a new one */
  readonly staleSinceUnixNs?: bigint;
}

type Answering = (question: Question, listener: Listener) => Promise<Answer>;

const STALE_HEADER = {
  "longpole-stale":
    "on an answer of before, given because the store does not answer now: the time at which it was made",
};

const questionOf = (query: ReportQuery, context: ServerContext): Question => ({
  query: liveQuery(query, context),
  endsNow: query.to === undefined,
});

/**
 * Sends the last answer to the same question with the time at which it was made; says whether there was one. While the store
 * is away there is none: that answer says why it is not a newer one.
 */
async function sendHeld(
  events: EventStream,
  { storeState, lastAnswers }: ServerContext,
  kind: "report" | "page",
  { query, endsNow }: Question,
): Promise<boolean> {
  const last = storeState() === "ready" ? await lastAnswers.last(kind, query, endsNow) : undefined;
  if (last === undefined) return false;
  // The answer's text as it is: reading and writing some MB again would hold up the server.
  events.send("held", `{"madeUnixNs":"${last.madeUnixNs}","${kind}":${last.json}}`);
  return true;
}

/** The answer, or the one of before where the store does not answer now. */
async function orLast(
  { storeState, lastAnswers, nowUnixNs, log }: ServerContext,
  kind: "report" | "page",
  query: LiveQuery,
  endsNow: boolean,
  work: () => Promise<string>,
): Promise<Answer> {
  const lastWith = async (why: string): Promise<Answer | undefined> => {
    const last = await lastAnswers.stale(kind, query, endsNow, why);
    return last === undefined ? undefined : { json: last.json, staleSinceUnixNs: last.madeUnixNs };
  };
  const state = storeState();
  const held = state === "ready" ? undefined : await lastWith(state);
  if (held !== undefined) return held;
  if (state === "starting") throw storeStarts();
  const madeUnixNs = nowUnixNs();
  try {
    const json = await work();
    await lastAnswers.keep(kind, query, endsNow, json, madeUnixNs);
    return { json };
  } catch (error) {
    const last = isStoreAway(error) ? await lastWith(problemOf(error).problem.detail) : undefined;
    if (last === undefined) throw error;
    log("error", `${kind} failed, the last answer is given`, { error });
    return last;
  }
}

export function liveQuery(query: ReportQuery, { settings, nowUnixNs }: ServerContext): LiveQuery {
  const range = rangeOf(query, nowUnixNs());
  return {
    range,
    baseline: baselineOf(query.baseline, range),
    objectives: query.objective?.map(objectiveOf) ?? settings.objectives,
    ...(query.endpoint === undefined ? {} : { endpoint: query.endpoint }),
  };
}

function objectiveOf(text: string): Objective {
  const parsed = parseObjective(text);
  if (parsed.kind === "objective") return parsed;
  const found = parsed.part === "" ? "" : `, found "${parsed.part}"`;
  throw new HttpError(400, `objective: expected ${parsed.expected}${found}`, { field: "objective" });
}

function sendAnswer(reply: FastifyReply, { json, staleSinceUnixNs }: Answer): FastifyReply {
  if (staleSinceUnixNs !== undefined)
    reply.header("longpole-stale", new Date(Number(staleSinceUnixNs / 1_000_000n)).toISOString());
  return sendJson(reply, json);
}

/** The thread's JSON as it is: parsing and writing it again could only change it. */
function sendJson(reply: FastifyReply, json: string): FastifyReply {
  return reply.type("application/json; charset=utf-8").send(json);
}
