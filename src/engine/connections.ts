import { findAttribute } from "../model/attribute-table.ts";
import type { Legs } from "./legs.ts";
import { mapToFloats } from "../model/map-column.ts";
import type { Window } from "./window.ts";

/** The caller's end of a connection, as a server's span tells it, newest name first. */
const PEER_PORT = ["network.peer.port", "client.port", "net.sock.peer.port", "net.peer.port"];
const PEER_ADDRESS = ["network.peer.address", "client.address", "net.sock.peer.addr", "net.peer.ip"];

/** Connections by which requests of one service came to another, told apart by the caller's port. */
export interface ConnectionUse {
  /** requests whose connection is told */
  readonly requests: number;
  readonly connections: number;
  /** most of them open at once between one instance of the caller and one of the callee, from first to last request */
  readonly atOnce: number;
  /** most calls open at once between the two, whether the callee has taken them up or not */
  readonly callsAtOnce: number;
  /** no two requests were at work on one connection at once: as HTTP/1.1 has it, and HTTP/2 has not */
  readonly isOneByOne: boolean;
}

/** Requests whose connection is told, and the connections, of the calls of one edge. */
export function countConnections(window: Window, { server }: Legs): Pick<ConnectionUse, "requests" | "connections"> {
  const connectionOf = connectionReader(window);
  const connections = new Set<string>();
  let requests = 0;
  for (const row of server) {
    const connection = connectionOf(row);
    if (connection === undefined) continue;
    requests++;
    connections.add(`${window.facts.instance[row]} ${connection}`);
  }
  return { requests, connections: connections.size };
}

/** How they were used over time. legs: calls of one edge. Requests without a port are left out; without any all counts are 0. */
export function connectionUse(window: Window, { client, server }: Legs): ConnectionUse {
  const { facts, forest } = window;
  const connectionOf = connectionReader(window);
  const between = new Map<string, Between>();
  let requests = 0;
  for (let i = 0; i < server.length; i++) {
    const row = server[i]!;
    const connection = connectionOf(row);
    if (connection === undefined) continue;
    requests++;
    const pair = `${facts.instance[client[i]!]} ${facts.instance[row]}`;
    let held = between.get(pair);
    if (held === undefined) between.set(pair, (held = { calls: [], used: new Map() }));
    held.calls.push([forest.startNs[client[i]!]!, forest.endNs[client[i]!]!]);
    const uses = held.used.get(connection);
    const use: Stretch = [forest.startNs[row]!, forest.endNs[row]! - forest.toleranceNs[row]!];
    if (uses === undefined) held.used.set(connection, [use]);
    else uses.push(use);
  }
  const pairs = [...between.values()];
  const used = pairs.map((pair) => [...pair.used.values()]);
  return {
    requests,
    connections: used.reduce((sum, each) => sum + each.length, 0),
    atOnce: Math.max(0, ...used.map((each) => mostAtOnce(each.map(lifeOf)))),
    callsAtOnce: Math.max(0, ...pairs.map(({ calls }) => mostAtOnce(calls))),
    isOneByOne: used.every((each) => each.every((uses) => mostAtOnce(uses) <= 1)),
  };
}

type Stretch = readonly [fromNs: number, toNs: number];

interface Between {
  readonly calls: Stretch[];
  /** by connection: the requests on it, less the clock's step */
  readonly used: Map<string, Stretch[]>;
}

function connectionReader({ spans }: Window): (row: number) => string | undefined {
  const { attributes, strings } = spans;
  const ports = PEER_PORT.map((name) => strings.intern(name));
  const addresses = PEER_ADDRESS.map((name) => strings.intern(name));
  const valueOf = (row: number, keys: readonly number[]): number | undefined => {
    const at = keys.map((key) => findAttribute(attributes, row, key)).find((place) => place >= 0);
    return at === undefined ? undefined : attributes.value[at]!;
  };
  return (row) => {
    const port = valueOf(row, ports);
    return port === undefined ? undefined : `${valueOf(row, addresses)} ${port}`;
  };
}

function lifeOf(uses: readonly Stretch[]): Stretch {
  let [from, to] = [Infinity, -Infinity];
  for (const [start, end] of uses) {
    from = Math.min(from, start);
    to = Math.max(to, end);
  }
  return [from, to];
}

/** Most stretches that have a moment in common; one that ends where another begins has gone, and one of no length is none. */
function mostAtOnce(stretches: readonly Stretch[]): number {
  const lasting = stretches.filter(([from, to]) => to > from);
  const starts = mapToFloats(lasting, ([from]) => from).sort();
  const ends = mapToFloats(lasting, ([, to]) => to).sort();
  let [gone, most] = [0, 0];
  for (let begun = 1; begun <= starts.length; begun++) {
    while (ends[gone]! <= starts[begun - 1]!) gone++;
    most = Math.max(most, begun - gone);
  }
  return most;
}
