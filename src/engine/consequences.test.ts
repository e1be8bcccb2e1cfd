import { expect, test } from "vitest";
import type { Mechanism } from "../model/report.ts";
import { traceFromText } from "../testing/trace-from-text.ts";
import { foldConsequences } from "./consequences.ts";
import { viewEndpoint } from "./endpoint-view.ts";
import type { Claim } from "./findings.ts";
import { buildWindow, type Window } from "./window.ts";

/**
 * Of stock's five messages (four requests, one query) three are those of the loop of shop; of mail's one, none. All of
 * stock's time in its database is the one statement.
 */
const SYSTEM = `
    shop GET /list   |--------------------------------------------| server
      shop GET item   |---|                                         client
        stock GET /item |-|                                         server
      shop GET item         |---|                                   client
        stock GET /item       |-|                                   server
      shop GET item               |---|                             client
        stock GET /item             |-|                             server
      shop GET total                    |-------------------|       client
        stock GET /total                 |-----------------|        server
          stock SELECT                    |-------|                 client db.system.name=postgresql db.namespace=main db.query.text="SELECT sum(n) FROM items"
      shop GET mail                                          |---|  client
        mail GET /mail                                        |-|   server`;

async function drawn(): Promise<Window> {
  return buildWindow(traceFromText(SYSTEM, { unitNs: 1e6 }), async () => {});
}

function claim(window: Window, mechanism: Mechanism, service: string, operation?: string): Claim {
  const nodes = Array.from({ length: window.paths.nodeCount }, (_, node) => node).filter(
    (node) => operation !== undefined && window.text(window.paths.operation[node]!) === operation,
  );
  return {
    view: viewEndpoint(window, 0),
    explanation: {
      mechanism,
      kind: "latency",
      subject: { service, ...(operation === undefined ? {} : { operation }) },
      title: `${mechanism} of ${service}`,
      why: "",
      confidence: 0.8,
      harmful: true,
      nodes,
      undo: [],
      chain: [{ claim: "the endpoint is slow", evidence: [] }],
      evidence: [],
      counter: [],
      refutedBy: "",
      remedy: { text: "" },
    },
  };
}

test.each<[string, Mechanism, string, boolean]>([
  ["busy with the calls of a loop", "cpu-saturated", "stock", true],
  ["busy with other things", "cpu-saturated", "mail", false],
  ["waiting for a pool, which the loop does not use", "pool-exhausted", "stock", false],
])("a loop of calls as the cause: a service %s", async (_, mechanism, service, isConsequence) => {
  const window = await drawn();
  const [cause, other] = foldConsequences(window, [
    claim(window, "n-plus-one", "shop", "GET item"),
    claim(window, mechanism, service),
  ]);
  expect(cause!.explanation.harmful).toBe(true);
  expect(other!.explanation.harmful).toBe(!isConsequence);
  expect(cause!.explanation.chain.length).toBe(isConsequence ? 2 : 1);
});

test("folded again, with the consequence told otherwise: its cause says it once", async () => {
  const window = await drawn();
  const [cause] = foldConsequences(window, [
    claim(window, "slow-query", "main", "SELECT"),
    claim(window, "pool-exhausted", "stock"),
  ]);
  const full = claim(window, "pool-exhausted", "stock");
  const told = { ...full, explanation: { ...full.explanation, title: "10 of 10 connections of stock are in use" } };
  const [again] = foldConsequences(window, [cause!, told]);
  expect(again!.explanation.chain.map((link) => link.claim)).toEqual([
    "the endpoint is slow",
    "100 % of the time for which stock uses its databases are these calls: 10 of 10 connections of stock are in use",
  ]);
});

test("a pool is full because of the statement that holds its connections", async () => {
  const window = await drawn();
  const [, pool] = foldConsequences(window, [
    claim(window, "slow-query", "main", "SELECT"),
    claim(window, "pool-exhausted", "stock"),
  ]);
  expect(pool!.explanation.harmful).toBe(false);
  expect(pool!.becauseOf).toBe("main");
  expect(pool!.explanation.counter).toEqual([
    "a consequence: 100 % of the time for which stock uses its databases come from this: slow-query of main",
  ]);
});

test.each<[string, Mechanism, string, string, boolean]>([
  ["in which a statement is slow", "slow-query", "main", "SELECT", true],
  ["whose pool is full, elsewhere", "pool-exhausted", "mail", "GET /mail", false],
  ["that fails by itself", "error-handling", "stock", "GET /total", false],
])("a caller that stops waiting for a service %s", async (_, mechanism, service, operation, isConsequence) => {
  const window = await drawn();
  const waited = claim(window, "timeout", "shop", "GET total");
  const nodes = [...waited.explanation.nodes, ...claim(window, "timeout", "", "GET /total").explanation.nodes, ...claim(window, "timeout", "", "SELECT").explanation.nodes]; // prettier-ignore
  const [timeout, cause] = foldConsequences(window, [
    { ...waited, explanation: { ...waited.explanation, nodes } },
    claim(window, mechanism, service, operation),
  ]);
  expect(timeout!.explanation.harmful).toBe(!isConsequence);
  expect(timeout!.becauseOf).toBe(isConsequence ? service : undefined);
  expect(cause!.explanation.harmful).toBe(true);
  expect(cause!.explanation.chain.map(({ claim: text }) => text)).toEqual(
    isConsequence ? ["the endpoint is slow", "timeout of shop"] : ["the endpoint is slow"],
  );
});

/** A request of stock takes 20, of which it waits 8 for a connection, and the statement takes 4. */
const AT_THE_DOOR = `
    shop GET /total   |---------------------------------------| server
      shop GET total   |-------------------------------------|  client
        stock GET /total               |-------------------|    server
          stock pg-pool.connect         |-------|               client db.system.name=postgresql db.namespace=main
          stock SELECT                          |---|           client db.system.name=postgresql db.namespace=main db.query.text="SELECT sum(n) FROM items"`;

test.each([
  ["with the waits that it causes, for most of it", true],
  ["for a fifth of it", false],
])("requests wait at the door of a service whose requests wait for a statement, %s", async (_, withWaits) => {
  const window = await buildWindow(traceFromText(AT_THE_DOOR, { unitNs: 1e6 }), async () => {});
  const statement = claim(window, "slow-query", "main", "SELECT");
  const waits = { nodes: claim(window, "slow-query", "", "pg-pool.connect").explanation.nodes, undo: [] };
  const late = claim(window, "accept-queue", "stock");
  const [, door] = foldConsequences(window, [
    withWaits ? { ...statement, explanation: { ...statement.explanation, waits } } : statement,
    { ...late, explanation: { ...late.explanation, waitsInTransit: true } },
  ]);
  expect(door!.explanation.harmful).toBe(!withWaits);
  expect(door!.becauseOf).toBe(withWaits ? "main" : undefined);
});
