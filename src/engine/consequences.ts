import { SpanRole } from "../model/span-facts.ts";
import type { Mechanism } from "../model/report.ts";
import type { Claim } from "./findings.ts";
import type { Explanation } from "./hot-spot.ts";
import { oncePerWindow } from "./once-per-window.ts";
import { subtree } from "./path-index.ts";
import { spanRows } from "./case.ts";
import type { Window } from "./window.ts";
import { percent } from "./wording.ts";

/** Claims that calls are made too often: they put load on whoever makes and whoever answers them. */
const TOO_MANY_CALLS: ReadonlySet<Mechanism> = new Set<Mechanism>([
  "n-plus-one",
  "duplicate-calls",
  "retries",
  "cache-miss",
]);

/** Claims that a statement takes too long: it holds a connection for as long. */
const HOLDS_CONNECTIONS: ReadonlySet<Mechanism> = new Set<Mechanism>([
  ...TOO_MANY_CALLS,
  "slow-query",
  "missing-index",
  "data-growth",
]);

/** Claims that a service has too much to do, or is late because of it. */
const TOO_MUCH_TO_DO: ReadonlySet<Mechanism> = new Set<Mechanism>([
  "cpu-saturated",
  "run-queue",
  "thread-starvation",
  "network-latency",
  "load-increase",
]);

/**
 * Part of a service's messages, or of the time for which it uses a database, from which on it is busy because of them:
 * without a third of its load a server that is busy for 75 to 90 % of the time, so that work takes 4 to 10 times as long
 * as alone, would be so for 50 to 60 % (twice to two and a half times).
 */
const MIN_PART = 1 / 3;

/**
 * A service that is overloaded by calls that need not be made, or a pool whose connections are held by a statement that
 * takes too long, is the consequence: such a claim becomes a note, and a link in the chain of its cause.
 */
export function foldConsequences(window: Window, all: readonly Claim[]): Claim[] {
  const claims = foldTimeouts(window, all);
  const causes = causesOf(window, claims);
  const links = new Map<Cause, Map<string, string>>();
  const folded = claims.map((claim): Claim => {
    const { explanation } = claim;
    const found = explanation.harmful ? largest(causes, explanation) : undefined;
    if (found === undefined) return claim;
    const { cause, part, of } = found;
    const known = links.get(cause) ?? new Map<string, string>();
    links.set(cause, known.set(of, `${percent(part)}${linkOf(of)}${explanation.title}`));
    return {
      ...claim,
      becauseOf: cause.claims[0]!.explanation.subject.service,
      explanation: {
        ...explanation,
        harmful: false,
        confidence: explanation.confidence * 0.3,
        counter: [...explanation.counter, `a consequence: ${percent(part)} of ${of} come from this: ${cause.title}`],
      },
    };
  });
  return folded.map((claim): Claim => {
    const cause = causes.find(({ claims: own }) => own.includes(claim));
    const texts = cause === undefined ? undefined : links.get(cause);
    if (texts === undefined) return claim;
    // Claims are folded again when metrics were looked at: what is told anew takes the place of what was told before.
    const isTold = (text: string): boolean => [...texts.keys()].some((of) => text.includes(linkOf(of)));
    const chain = claim.explanation.chain.filter((link) => !isTold(link.claim));
    const more = [...texts.values()].map((text) => ({ claim: text, evidence: [] }));
    return {
      ...claim,
      explanation: { ...claim.explanation, chain: [...chain.slice(0, 1), ...more, ...chain.slice(1)] },
    };
  });
}

const linkOf = (of: string): string => ` of ${of} are these calls: `;

/** Claims that say how a failure spreads, not where it comes from. */
const SPREADS: ReadonlySet<Mechanism> = new Set<Mechanism>(["timeout", "retries", "error-handling", "mix-shift"]);

/**
 * Callers that stop waiting for a service in which something is wrong: what is wrong there makes them, and a shorter wait
 * would not mend it. A callee of which nothing is known leaves the wait as the one thing that can be set.
 */
function foldTimeouts(window: Window, claims: readonly Claim[]): Claim[] {
  const { service } = window.paths;
  const causes = claims.filter(({ explanation: { harmful, mechanism } }) => harmful && !SPREADS.has(mechanism));
  const links = new Map<Claim, Set<string>>();
  const folded = claims.map((claim): Claim => {
    const { explanation } = claim;
    if (!explanation.harmful || explanation.mechanism !== "timeout") return claim;
    const below = new Set(
      explanation.nodes.filter((node) => window.text(service[node]!) !== explanation.subject.service),
    );
    const cause = causes.find((other) => other.explanation.nodes.some((node) => below.has(node)));
    if (cause === undefined) return claim;
    links.set(cause, (links.get(cause) ?? new Set()).add(explanation.title));
    return {
      ...claim,
      becauseOf: cause.explanation.subject.service,
      explanation: {
        ...explanation,
        harmful: false,
        confidence: explanation.confidence * 0.3,
        counter: [...explanation.counter, `a consequence of what keeps the callee: ${cause.explanation.title}`],
      },
    };
  });
  return folded.map((claim): Claim => {
    const texts = links.get(claim);
    if (texts === undefined) return claim;
    const { chain } = claim.explanation;
    const more = [...texts].map((text) => ({ claim: text, evidence: [] }));
    return {
      ...claim,
      explanation: { ...claim.explanation, chain: [...chain.slice(0, 1), ...more, ...chain.slice(1)] },
    };
  });
}

/** The same cause at all endpoints where it was found. */
interface Cause {
  readonly claims: readonly Claim[];
  readonly mechanism: Mechanism;
  readonly title: string;
  /** by service: part of the messages, and of the time in databases, that its calls are */
  readonly messages: ReadonlyMap<string, number>;
  readonly databaseTime: ReadonlyMap<string, number>;
  /** by service: part of the time of its requests that its calls take, with the waits that they cause */
  readonly requestTime: ReadonlyMap<string, number>;
}

function causesOf(window: Window, claims: readonly Claim[]): Cause[] {
  const groups = new Map<string, Claim[]>();
  for (const claim of claims) {
    const { harmful, mechanism, subject, nodes } = claim.explanation;
    if (!harmful || !HOLDS_CONNECTIONS.has(mechanism) || nodes.length === 0) continue;
    const key = JSON.stringify([mechanism, subject.service, subject.operation, subject.statement]);
    const held = groups.get(key);
    if (held === undefined) groups.set(key, [claim]);
    else held.push(claim);
  }
  const all = groups.size === 0 ? undefined : loadOfAll(window);
  return [...groups.values()].map((group): Cause => {
    const nodes = new Set(
      group.flatMap(({ explanation }) => explanation.nodes.flatMap((node) => subtree(window, node))),
    );
    const own = loadOf(window, nodes);
    const waits = loadOf(window, new Set(group.flatMap(({ explanation }) => explanation.waits?.nodes ?? [])));
    const part = (mine: ReadonlyMap<string, number>, whole: ReadonlyMap<string, number>): Map<string, number> =>
      new Map([...mine].map(([service, load]) => [service, load / (whole.get(service) ?? Number.NaN)]));
    return {
      claims: group,
      mechanism: group[0]!.explanation.mechanism,
      title: group[0]!.explanation.title,
      messages: part(own.messages, all!.messages),
      databaseTime: part(own.databaseNs, all!.databaseNs),
      requestTime: part(sumOf(own.databaseNs, waits.poolNs), all!.requestNs),
    };
  });
}

interface Found {
  readonly cause: Cause;
  readonly part: number;
  /** what it is a part of */
  readonly of: string;
}

/** The cause with the largest part in what a claim complains of. */
function largest(
  causes: readonly Cause[],
  { mechanism, subject: { service }, waitsInTransit }: Explanation,
): Found | undefined {
  const partOf = (of: string, which: (cause: Cause) => ReadonlyMap<string, number> | undefined): Found[] =>
    causes.map((cause) => ({ cause, of, part: which(cause)?.get(service) ?? 0 }));
  const found =
    mechanism === "pool-exhausted"
      ? partOf(`the time for which ${service} uses its databases`, (cause) => cause.databaseTime)
      : [
          ...(TOO_MUCH_TO_DO.has(mechanism)
            ? partOf(`the messages of ${service}`, (cause) =>
                TOO_MANY_CALLS.has(cause.mechanism) ? cause.messages : undefined,
              )
            : []),
          // So many are in flight because each takes that long (Little's law): that is what those before the door wait for.
          ...(waitsInTransit === true
            ? partOf(`the time of requests of ${service}`, (cause) => cause.requestTime)
            : []),
        ];
  return found.filter(({ part }) => part >= MIN_PART).toSorted((a, b) => b.part - a.part)[0];
}

interface Load {
  readonly messages: Map<string, number>;
  readonly databaseNs: Map<string, number>;
  readonly poolNs: Map<string, number>;
  readonly requestNs: Map<string, number>;
}

function sumOf(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): Map<string, number> {
  return new Map([...a.keys(), ...b.keys()].map((key) => [key, (a.get(key) ?? 0) + (b.get(key) ?? 0)]));
}

const loadOfAll = oncePerWindow((window): Load =>
  loadOf(
    window,
    Array.from({ length: window.paths.nodeCount }, (_, node) => node),
  ),
);

/** A request taken or a call made is a message. */
const MESSAGES: ReadonlySet<SpanRole> = new Set<SpanRole>([
  SpanRole.client,
  SpanRole.database,
  SpanRole.server,
  SpanRole.consumer,
]);

/** Per service: requests taken and calls made on these call paths; nanoseconds in databases, of waits for connections, of requests. */
function loadOf(window: Window, nodes: Iterable<number>): Load {
  const { paths, forest, text } = window;
  const messages = new Map<string, number>();
  const databaseNs = new Map<string, number>();
  const poolNs = new Map<string, number>();
  const requestNs = new Map<string, number>();
  const times: Partial<Record<SpanRole, Map<string, number>>> = {
    [SpanRole.database]: databaseNs,
    [SpanRole.pool]: poolNs,
    [SpanRole.server]: requestNs,
  };
  const add = (to: Map<string, number>, key: string, value: number): void =>
    void to.set(key, (to.get(key) ?? 0) + value);
  for (const node of nodes) {
    const role = paths.role[node] as SpanRole;
    const service = text(paths.service[node]!);
    const rows = spanRows(window, node);
    if (MESSAGES.has(role)) add(messages, service, rows.length);
    const time = times[role];
    if (time !== undefined) for (const row of rows) add(time, service, forest.endNs[row]! - forest.startNs[row]!);
  }
  return { messages, databaseNs, poolNs, requestNs };
}
