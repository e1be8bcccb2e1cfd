import { attributeText, findAttribute } from "../../model/attribute-table.ts";
import { meanOf, valuesOf, type ServiceMeasure } from "../resources/service-measures.ts";
import { countConnections } from "../connections.ts";
import { legsByEdge, type EdgeLegs } from "../legs.ts";
import type { Window } from "../window.ts";
import { count, ms, percent } from "../wording.ts";
import {
  NOTHING,
  together,
  type CheckResult,
  type ConfigurationCheck,
  type Harm,
  type SettingProblem,
} from "./configuration-check.ts";

/** Fewer requests than this may each find a connection of its own by chance: the first of each is new. */
const MIN_REQUESTS = 50;
/** A connection that is kept carries requests by the hundred; one that carries two is not kept. */
const MIN_PER_CONNECTION = 2;
/** Spans of opening a connection, as instrumentations of sockets name them. */
const OPENING = /(^|[._ -])((tcp|tls|ssl|net|socket)[._ -]?(connect|handshake)|dns[._ -]?(lookup|resolve))$/i;

/**
 * A connection per request: a server's spans tell the caller's port, and a port that is another one each time belongs to a
 * connection that was opened for that request. It costs a handshake each, fills the listen queue in bursts, and leaves
 * a port in TIME_WAIT for a minute. Harm shows where spans of the handshakes do.
 */
export const keepAlive: ConfigurationCheck = {
  what: "connections per request",
  run: ({ window, resources }) => {
    const edges = [...legsByEdge(window).values()].map((legs) => ({ legs, result: judge(window, legs) }));
    const told = new Set(edges.filter(({ result }) => result !== NOTHING).map(({ legs }) => window.text(legs.caller)));
    const metrics = [...(resources?.now.services ?? [])].filter(([service]) => !told.has(service));
    return together([
      ...edges.map(({ result }) => result),
      ...metrics.map(([service, measures]) => judgeMetrics(service, measures)),
    ]);
  },
};

function judge(window: Window, legs: EdgeLegs): CheckResult {
  const { connections, requests } = countConnections(window, legs);
  if (requests < MIN_REQUESTS) return NOTHING;
  const [caller, callee] = [window.text(legs.caller), window.text(legs.callee)];
  const each = requests / connections;
  const sum = `${count(requests)} requests of ${caller} came to ${callee} on ${count(connections)} connections: ${each.toFixed(each < 10 ? 1 : 0)} on each`;
  if (each >= MIN_PER_CONNECTION) return { problems: [], fine: [{ text: sum, tightness: MIN_PER_CONNECTION / each }] };
  const harm = harmOf(window, legs);
  const closing = closingOf(window, legs);
  const problem: SettingProblem = {
    ...problemOf(caller, callee),
    resource: `edge:${caller}->${callee}`,
    alsoSaidOf: [callee],
    arithmetic: closing === "" ? sum : `${sum}; ${closing}`,
    query: `distinct network.peer.port of the SERVER spans of ${callee} below calls of ${caller}`,
    ...(harm === undefined ? {} : { harm }),
  };
  return { problems: [problem], fine: [] };
}

function problemOf(caller: string, callee: string): Omit<SettingProblem, "arithmetic" | "query"> {
  return {
    service: caller,
    resource: "connections",
    setting: "keepAlive",
    change: "keepAlive: false -> true",
    mechanism: "connection-churn",
    saidAs: new Set(["connection-churn"]),
    followsFrom: new Set(["accept-queue"]),
    title: `${caller} opens a connection to ${callee} for nearly each request`,
    remedy: `Let the HTTP client of ${caller} keep its connections (an agent with keep-alive, one client for the life of the process), and ${callee} keep idle ones for longer than the client does.`,
    reference: "RFC 9112, section 9.3",
    refutedBy: "a proxy between the two opens the connections and keeps them",
    confidence: 0.8,
  };
}

/** Of a client whose calls lead to nothing that sends spans: connections that ended against calls. */
function judgeMetrics(service: string, measures: readonly ServiceMeasure[]): CheckResult {
  const ended = meanOf(valuesOf(measures, "connection-rate"));
  const calls = meanOf(valuesOf(measures, "call-rate"));
  if (!(calls >= 1) || !(ended >= 0)) return NOTHING;
  const each = calls / Math.max(ended, 1e-9);
  const life = meanOf(valuesOf(measures, "connection-life"));
  const sum = `${service} makes ${calls.toFixed(1)} calls a second, and ${ended.toFixed(1)} connections end${Number.isFinite(life) ? `, after ${ms(1e9 * life)} on average` : ""}`;
  if (each >= MIN_PER_CONNECTION) return { problems: [], fine: [{ text: sum, tightness: MIN_PER_CONNECTION / each }] };
  const query = `http.client.connection.duration against http.client.request.duration of ${service}: counts`;
  return { problems: [{ ...problemOf(service, "what it calls"), arithmetic: sum, query }], fine: [] };
}

/** Who asks for the connection to be closed, where headers are recorded; "" where they are not. */
function closingOf(window: Window, { server }: EdgeLegs): string {
  const { attributes, strings } = window.spans;
  for (const [who, name] of [
    ["the caller", "http.request.header.connection"],
    ["the callee", "http.response.header.connection"],
  ] as const) {
    const key = strings.intern(name);
    const closed = server.filter((row) => {
      const at = findAttribute(attributes, row, key);
      return at >= 0 && /close/i.test(attributeText(attributes, strings, at));
    }).length;
    if (closed >= server.length / 2)
      return `${who} sends "Connection: close" with ${percent(closed / server.length)} of them`;
  }
  return "";
}

/** Time of handshakes and look-ups below the calls: what a kept connection does without. */
function harmOf(window: Window, { client, caller }: EdgeLegs): Harm | undefined {
  const { forest, facts, text } = window;
  const operations = new Map<number, { calls: number; ns: number }>();
  for (const row of client) {
    for (let i = forest.childStart[row]!; i < forest.childStart[row + 1]!; i++) {
      const child = forest.child[i]!;
      if (!OPENING.test(text(facts.operation[child]!))) continue;
      const held = operations.get(facts.operation[child]!) ?? { calls: 0, ns: 0 };
      held.calls++;
      held.ns += forest.endNs[child]! - forest.startNs[child]!;
      operations.set(facts.operation[child]!, held);
    }
  }
  if (operations.size === 0) return undefined;
  const all = [...operations.values()].reduce((sum, { ns }) => sum + ns, 0);
  const most = Math.max(...[...operations.values()].map(({ calls }) => calls));
  const service = text(caller);
  return {
    text: `opening them takes ${ms(all / client.length)} of a call on average, in ${percent(most / client.length)} of the calls`,
    undo: [...operations.keys()].map((operation) => ({
      kind: "change",
      change: { kind: "remove", service, operation: text(operation) },
    })),
  };
}
