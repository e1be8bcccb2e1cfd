import { findAttribute } from "../../model/attribute-table.ts";
import { legsByEdge, type EdgeLegs } from "../legs.ts";
import type { Window } from "../window.ts";
import { count, ms, percent } from "../wording.ts";
import { NOTHING, together, type CheckResult, type ConfigurationCheck, type Harm } from "./configuration-check.ts";

/** The caller's end of a connection, as a server's span tells it, newest name first. */
const PEER_PORT = ["network.peer.port", "client.port", "net.sock.peer.port", "net.peer.port"];
const PEER_ADDRESS = ["network.peer.address", "client.address", "net.sock.peer.addr", "net.peer.ip"];
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
  run: ({ window }) => together([...legsByEdge(window).values()].map((legs) => judge(window, legs))),
};

function judge(window: Window, legs: EdgeLegs): CheckResult {
  const { connections, requests } = connectionsOf(window, legs);
  if (requests < MIN_REQUESTS) return NOTHING;
  const [caller, callee] = [window.text(legs.caller), window.text(legs.callee)];
  const each = requests / connections;
  const sum = `${count(requests)} requests of ${caller} came to ${callee} on ${count(connections)} connections: ${each.toFixed(each < 10 ? 1 : 0)} on each`;
  if (each >= MIN_PER_CONNECTION) return { problems: [], fine: [{ text: sum, tightness: MIN_PER_CONNECTION / each }] };
  const harm = harmOf(window, legs);
  return {
    problems: [
      {
        service: caller,
        resource: `edge:${caller}->${callee}`,
        setting: "keepAlive",
        change: "keepAlive: false -> true",
        mechanism: "connection-churn",
        saidAs: new Set(["connection-churn"]),
        followsFrom: new Set(["accept-queue"]),
        alsoSaidOf: [callee],
        arithmetic: sum,
        title: `${caller} opens a connection to ${callee} for nearly each request`,
        remedy: `Let the HTTP client of ${caller} keep its connections (an agent with keep-alive, one client for the life of the process), and ${callee} keep idle ones for longer than the client does.`,
        reference: "RFC 9112, section 9.3",
        query: `distinct network.peer.port of the SERVER spans of ${callee} below calls of ${caller}`,
        refutedBy: "a proxy between the two opens the connections and keeps them",
        confidence: 0.8,
        ...(harm === undefined ? {} : { harm }),
      },
    ],
    fine: [],
  };
}

/** Requests whose connections can be told apart, and the connections. */
function connectionsOf(window: Window, { server }: EdgeLegs): { connections: number; requests: number } {
  const { spans, facts } = window;
  const { attributes, strings } = spans;
  const ports = PEER_PORT.map((name) => strings.intern(name));
  const addresses = PEER_ADDRESS.map((name) => strings.intern(name));
  const valueOf = (row: number, keys: readonly number[]): number | undefined => {
    const at = keys.map((key) => findAttribute(attributes, row, key)).find((place) => place >= 0);
    return at === undefined ? undefined : attributes.value[at]!;
  };
  const connections = new Set<string>();
  let requests = 0;
  for (const row of server) {
    const port = valueOf(row, ports);
    if (port === undefined) continue;
    requests++;
    connections.add(`${facts.instance[row]} ${valueOf(row, addresses)} ${port}`);
  }
  return { connections: connections.size, requests };
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
