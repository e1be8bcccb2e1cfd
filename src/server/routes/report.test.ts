import type { AddressInfo } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import Fastify, { type FastifyInstance } from "fastify";
import { expect, test } from "vitest";
import type { Report } from "../../model/report.ts";
import { sampleReport } from "../../testing/sample-report.ts";
import type { ServerContext } from "../context.ts";
import { problemOf } from "../http/http-error.ts";
import { AnalysisError, type Listener } from "../live/analyst.ts";
import { LastAnswers } from "../live/last-answers.ts";
import { addReportRoutes } from "./report.ts";

const NOW = 1_790_000_900_000_000_000n;
const live = { fromUnixNs: "1790000000000000000", toUnixNs: String(NOW), traceShare: 1, spansInWindow: 5 };

interface State {
  store: string;
  /** true: the store does not answer the analysis */
  fails: boolean | AnalysisError;
  kept: number;
  /** of analyses that go on until this resolves or their listener leaves */
  running?: Promise<void>;
  left?: number;
  /** analyses begun */
  asked?: number;
  /** what was acknowledged is stored when this resolves */
  settled?: Promise<void>;
  logged?: string[];
}

/** The routes over an analysis and a store that do what `state` says. */
function appOf(state: State): FastifyInstance {
  const app = Fastify();
  app.setErrorHandler((error, _, reply) => reply.code(problemOf(error).problem.status).send(problemOf(error).problem));
  const context = {
    analyst: {
      waiting: 1,
      ask: async (_: unknown, { signal }: Listener): Promise<string> => {
        state.asked = (state.asked ?? 0) + 1;
        await Promise.race([
          state.running,
          new Promise((_, reject) => {
            signal?.addEventListener("abort", () => {
              state.left = (state.left ?? 0) + 1;
              reject(signal.reason as Error);
            });
          }),
          ...(state.running === undefined ? [Promise.resolve()] : []),
        ]);
        if (state.fails instanceof AnalysisError) throw state.fails;
        if (state.fails) throw new AnalysisError("StoreError", "unreachable", "nobody answers");
        return JSON.stringify({ ...sampleReport(), live });
      },
    },
    ingest: { settle: async () => state.settled },
    findings: { keep: async () => void state.kept++ },
    lastAnswers: new LastAnswers(),
    storeState: () => state.store,
    settings: { objectives: [] },
    nowUnixNs: () => NOW,
    version: "0",
    log: (level: string, event: string) => void (state.logged ??= []).push(`${level}: ${event}`),
  };
  addReportRoutes(app as unknown as FastifyInstance, context as unknown as ServerContext);
  return app as unknown as FastifyInstance;
}

test("while the store is away the last answer to the same question is given, marked; other questions fail", async () => {
  const state: State = { store: "ready", fails: true, kept: 0 };
  const app = appOf(state);
  const ask = async (query: string) => app.inject({ url: `/api/v1/report?${query}` });
  expect((await ask("last=15m")).statusCode).toBe(503);
  state.fails = false;
  const made = await ask("last=15m");
  expect((made.json() as Report).live?.stale).toBeUndefined();
  expect(made.headers["longpole-stale"]).toBeUndefined();
  expect(state.kept).toBe(1);

  state.fails = true;
  const failed = await ask("last=15m");
  // date -u -d @1790000900
  expect(failed.headers["longpole-stale"]).toBe("2026-09-21T14:28:20.000Z");
  expect(state.logged).toEqual(["error: report failed, the last answer is given"]);
  expect((failed.json() as Report).live?.stale).toEqual({ why: "store: nobody answers", madeUnixNs: String(NOW) });
  // Told to be away, it is not even asked.
  state.store = "restarting";
  const away = (await ask("last=15m")).json() as Report;
  expect(away.live?.stale).toEqual({ why: "restarting", madeUnixNs: String(NOW) });
  expect(away.dataQuality.warnings[0]).toContain("2026-09-21T14:28:20Z");
  // An old answer is no new sight of its findings.
  expect(state.kept).toBe(1);
  for (const other of ["last=5m", "last=15m&endpoint=x", "from=1790000000000000000&to=1790000900000000000"])
    expect((await ask(other)).statusCode).toBe(503);
  const events = await app.inject({ url: "/api/v1/report/events?last=15m" });
  expect(events.body).toContain('"stale":{"why":"restarting"');
});

test("an analysis that ended by itself is an error, whatever was answered before: the store is not away", async () => {
  const state: State = { store: "ready", fails: false, kept: 0 };
  const app = appOf(state);
  expect((await app.inject({ url: "/api/v1/report" })).statusCode).toBe(200);
  state.fails = new AnalysisError("AnalysisError", "thread", "the analysis ended: out of memory");
  const answer = await app.inject({ url: "/api/v1/report" });
  expect([answer.statusCode, answer.json().detail]).toEqual([503, "the analysis ended: out of memory"]);
  state.fails = new AnalysisError("StoreError", "timeout", "no answer in 30 s");
  expect((await app.inject({ url: "/api/v1/report" })).headers["longpole-stale"]).toBeDefined();
  state.fails = new AnalysisError("StoreError", "refused", "no such column");
  expect((await app.inject({ url: "/api/v1/report" })).statusCode).toBe(502);
});

test("who asks while the store is being opened is told when to ask again, and the log once", async () => {
  const state: State = { store: "starting", fails: false, kept: 0 };
  const app = appOf(state);
  const problemIn = async (): Promise<unknown> =>
    JSON.parse(/^event: problem\ndata: (.*)$/m.exec((await app.inject({ url: "/api/v1/page/events" })).body)![1]!);
  for (let i = 0; i < 3; i++) expect(await problemIn()).toMatchObject({ status: 503, retryAfterSeconds: 2 });
  expect(state.logged).toEqual(["error: page failed"]);
  state.store = "ready";
  state.fails = new AnalysisError("Error", "", "a defect");
  for (let i = 0; i < 2; i++) expect(await problemIn()).not.toHaveProperty("retryAfterSeconds");
  expect(state.logged).toHaveLength(3);
});

test("who asks for what is held gets it first, with its time, and then the newer one without parts of it", async () => {
  const state = { store: "ready", fails: false, kept: 0 };
  const app = appOf(state);
  const eventsOf = async (query: string): Promise<[string, unknown][]> => {
    const { body } = await app.inject({ url: `/api/v1/page/events?${query}` });
    return [...body.matchAll(/^event: (\w+)\ndata: (.*)$/gm)].map(([, event, data]) => [event!, JSON.parse(data!)]);
  };
  const page = { ...sampleReport(), live };
  // The first time there is none; and who does not ask is given none.
  expect(await eventsOf("last=15m&held=true")).toEqual([["page", page]]);
  expect(await eventsOf("last=15m")).toEqual([["page", page]]);
  expect(await eventsOf("last=15m&held=true")).toEqual([
    ["held", { madeUnixNs: String(NOW), page }],
    ["page", page],
  ]);
  expect(await eventsOf("last=5m&held=true")).toEqual([["page", page]]);
  // A newer one that cannot be had is a problem, after what is held.
  state.fails = true;
  state.store = "restarting";
  const [[event, stale]] = (await eventsOf("last=15m&held=true")) as [[string, Report]];
  expect([event, stale.live?.stale?.why]).toEqual(["page", "restarting"]);
});

interface Callers {
  readonly state: State;
  /** asks for a page and leaves when the stream is open */
  leave(query: string): Promise<void>;
  finish(): void;
  eventsOf(query: string): Promise<string>;
}

/** Callers by connections that can be cut, of analyses that go on until they are finished. */
async function withCallers(work: (callers: Callers) => Promise<void>): Promise<void> {
  const state: State = { store: "ready", fails: false, kept: 0 };
  const app = appOf(state);
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo;
  let finish = (): void => {};
  state.running = new Promise((resolve) => (finish = resolve));
  const leave = async (query: string): Promise<void> => {
    const abort = new AbortController();
    const closed = new Promise((resolve) => app.server.once("request", (_, reply) => reply.once("close", resolve)));
    const { body } = await fetch(`http://127.0.0.1:${port}/api/v1/page/events?${query}`, { signal: abort.signal });
    const reading = body!.getReader().read();
    abort.abort();
    await expect(reading).rejects.toThrow("aborted");
    await closed;
    await nextTurn();
  };
  const eventsOf = async (query: string): Promise<string> =>
    (await app.inject({ url: `/api/v1/page/events?held=true&${query}` })).body;
  try {
    await work({ state, leave, finish: () => finish(), eventsOf });
  } finally {
    finish();
    app.server.closeAllConnections();
    await app.close();
  }
}

test("a page whose caller went away is computed for who opens it next, until another one is asked for", () =>
  withCallers(async ({ state, leave, finish, eventsOf }) => {
    await leave("last=5m");
    expect(state.left ?? 0).toBe(0);
    await leave("last=15m");
    expect(state.left).toBe(1);
    finish();
    await expect.poll(() => eventsOf("last=15m")).toContain("event: held");
    expect(await eventsOf("last=5m")).not.toContain("event: held");
  }));

test("a page that was left and is asked for again goes on", () =>
  withCallers(async ({ state, leave, finish, eventsOf }) => {
    await leave("last=5m");
    const again = eventsOf("last=5m");
    await expect.poll(() => state.asked).toBe(2);
    expect(state.left ?? 0).toBe(0);
    // Who leaves once more leaves the first to go on.
    await leave("last=5m");
    expect(state.left).toBe(1);
    finish();
    expect(await again).toContain("event: page");
  }));

test("no page is begun for who went away while what was acknowledged is waited for", () =>
  withCallers(async ({ state, leave }) => {
    let settle = (): void => {};
    state.settled = new Promise((resolve) => (settle = resolve));
    await leave("last=5m");
    settle();
    await nextTurn();
    expect(state.asked ?? 0).toBe(0);
  }));
