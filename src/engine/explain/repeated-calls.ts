import { attributeText, AttributeType, findAttribute } from "../../model/attribute-table.ts";
import { SpanRole } from "../../model/span-facts.ts";
import { exampleTraces, spanDuration, spanRows, type Case } from "../case.ts";
import type { Explanation, HotSpot, Undo } from "../hot-spot.ts";
import { shareOfTime } from "../share-of-time.ts";
import { inclusiveTimes } from "../call-spots.ts";
import { siblingNodes, subtree } from "../path-index.ts";
import { medianOf, sequentialShare, siblingCalls, type SiblingCalls } from "../sibling-calls.ts";
import { count, ms, percent, shorten } from "../wording.ts";

/** A loop of two or three calls is ordinary code; from four on the number usually follows the data. */
const MANY = 4;

/**
 * The same call many times in a row within one parent: one query per row of an
 * earlier result (N+1). Acquisitions of a pool that interleave with the queries
 * belong to the same loop.
 */
export function explainRepeatedCalls(theCase: Case, spot: HotSpot): Explanation | undefined {
  if (spot.role !== SpanRole.database && spot.role !== SpanRole.client && spot.role !== SpanRole.pool) return undefined;
  const loop = loopOf(theCase, spot);
  return loop === undefined ? undefined : loopExplanation(theCase, spot, loop);
}

interface Loop {
  /** call path of the repeated call; with it the pool acquisitions of the same loop */
  readonly query: number;
  readonly nodes: readonly number[];
  /** spans that make the call, and the calls of those that make it many times */
  readonly parents: number;
  readonly many: readonly SiblingCalls[];
  /** calls per parent of these: median and most */
  readonly perParent: number;
  readonly most: number;
  /** median duration of a call */
  readonly eachNs: number;
  /** share of neighbouring calls that follow each other */
  readonly sequential: number;
  /** share of the loops whose calls are known to ask for the same */
  readonly same: number;
}

function loopOf(theCase: Case, spot: HotSpot): Loop | undefined {
  const { window } = theCase;
  const groups = siblingCalls(window, spot.node);
  const many = groups.filter((group) => group.rows.length >= MANY);
  const calls = many.reduce((sum, group) => sum + group.rows.length, 0);
  const all = groups.reduce((sum, group) => sum + group.rows.length, 0);
  // Loops of the node have to be where its calls are, and calls of a loop follow each other.
  const sequential = sequentialShare(window, many);
  if (many.length < 3 || calls < 0.5 * all) return undefined;
  const query = spot.role === SpanRole.pool ? queryOfLoop(theCase, spot.node) : spot.node;
  if (query < 0) return undefined;
  // Side by side they are a fan-out; but nobody needs the same answer many times, in whatever order.
  const same = identicalArguments(theCase, query);
  if (sequential < 0.8 && same < 0.9) return undefined;
  return {
    query,
    nodes: loopNodes(theCase, query),
    parents: groups.length,
    many,
    perParent: medianOf(many.map((group) => group.rows.length)),
    most: many.reduce((longest, group) => Math.max(longest, group.rows.length), 0),
    eachNs: medianOf(many.flatMap((group) => group.rows.map((row) => spanDuration(window, row)))),
    sequential,
    same,
  };
}

function loopExplanation(theCase: Case, spot: HotSpot, loop: Loop): Explanation {
  const { window, view } = theCase;
  const { query, many, perParent, same } = loop;
  const inclusive = inclusiveTimes(window, view);
  const loopNs = loop.nodes.reduce((sum, node) => sum + (inclusive.get(node)?.slowNs ?? 0), 0);
  const service = window.text(window.paths.service[query]!);
  const operation = window.text(window.paths.operation[query]!);
  const statementId = window.paths.statement[query]!;
  const statement = statementId < 0 ? "" : window.text(statementId);
  const parentOperation = window.text(window.facts.operation[many[0]!.parent]!);
  const what = statement === "" ? operation : shorten(statement, 60);
  const isQuery = window.paths.role[query] === SpanRole.database;
  const claimed = loop.nodes.flatMap((node) => subtree(window, node));
  const harmful = shareOfTime(view, loopNs, spot.typicalNs) >= 0.1;
  return {
    mechanism: same >= 0.9 ? "duplicate-calls" : "n-plus-one",
    kind: "latency",
    subject: { service, operation, ...(statement === "" ? {} : { statement }) },
    title:
      same >= 0.9
        ? `${service} makes the same call ${count(perParent)} times per ${parentOperation}: ${what}`
        : `${service} makes ${count(perParent)} ${isQuery ? "queries" : "calls"} one after another per ${parentOperation}: ${what}`,
    why: `${percent(many.length / Math.max(1, loop.parents))} of the spans that make this call make it ${MANY} times or more (median ${count(perParent)}, at most ${count(loop.most)}), each ${ms(loop.eachNs)}${loop.sequential >= 0.8 ? ", one after another" : ""}; together ${ms(loopNs)} of a slow request.`,
    confidence: harmful ? 0.93 : 0.4,
    harmful,
    nodes: claimed,
    undo: loop.nodes.map((node): Undo => ({
      kind: "change",
      change: { kind: "batch", service, operation: window.text(window.paths.operation[node]!) },
      nodes: [node],
    })),
    whatIf: `service=${service},operation=${operation},batch`,
    chain: [
      { claim: `${view.name}: p99 ${ms(view.p99)}`, evidence: [] },
      {
        claim: `${service} ${parentOperation} makes ${count(perParent)} calls${loop.sequential >= 0.8 ? " one after another" : ""}: ${ms(loopNs)}`,
        evidence: [0, 1],
      },
      { claim: `each ${what} takes ${ms(loop.eachNs)}; their number is the cost`, evidence: [1] },
    ],
    evidence: [
      {
        kind: "trace",
        text: `slow requests with the loop: ${exampleTraces(theCase, claimed).join(", ")}`,
        query: `spans "${operation}" of ${service}, counted by parent`,
      },
      {
        kind: isQuery ? "statement" : "statistic",
        text: `${statement === "" ? operation : statement} — ${count(perParent)} times under one parent span, one after another in ${percent(loop.sequential)} of the cases`,
        query: `count of "${operation}" by parent span`,
      },
    ],
    counter:
      same < 0.9 && isQuery
        ? ["that the queries can be answered by one is a reading of their text; bound values are not recorded"]
        : [],
    refutedBy: "the number of calls per request stays the same when the list it works on is short",
    remedy: {
      text: isQuery
        ? "Fetch all rows by one statement (JOIN or WHERE ... IN/ANY), or load them through a batching loader."
        : "Ask for all of them by one call, or let the callee offer a bulk operation.",
      ...(isQuery && statement !== ""
        ? { change: `${count(perParent)} × "${shorten(statement, 50)}" → 1 statement` }
        : {}),
    },
  };
}

/** The query and the pool acquisition that stands before each of its calls, when there are as many. */
function loopNodes(theCase: Case, query: number): number[] {
  const { paths } = theCase.window;
  const calls = spanRows(theCase.window, query).length;
  const nodes = [query];
  for (const node of siblingNodes(theCase.window, query)) {
    const isPool = paths.role[node] === SpanRole.pool;
    if (isPool && spanRows(theCase.window, node).length >= 0.8 * calls) nodes.push(node);
  }
  return nodes;
}

/** The repeated query beside a repeated pool acquisition, -1 when there is none. */
function queryOfLoop(theCase: Case, pool: number): number {
  const { paths } = theCase.window;
  let best = -1;
  for (const node of siblingNodes(theCase.window, pool)) {
    if (paths.role[node] !== SpanRole.database) continue;
    if (best < 0 || spanRows(theCase.window, node).length > spanRows(theCase.window, best).length) best = node;
  }
  if (best < 0) return -1;
  const many = siblingCalls(theCase.window, best).filter((group) => group.rows.length >= MANY);
  return many.length >= 3 ? best : -1;
}

/** Full arguments of a call, where its attributes give them. */
const ARGUMENT_KEYS = ["url.full", "http.url", "db.query.text", "db.statement", "rpc.request.body"];

/** Different arguments per call up to which a loop asks for the same again and again, not for one thing after another. */
const MOST_DIFFERENT = 0.25;

/**
 * Share of loops in which the calls have the same arguments, but for one call in four. Statements with
 * placeholders do not tell, since bound values are not recorded: 0.
 */
export function identicalArguments({ window }: Pick<Case, "window">, node: number): number {
  const keys = ARGUMENT_KEYS.map((key) => window.spans.strings.intern(key));
  let told = 0;
  let same = 0;
  for (const { rows } of siblingCalls(window, node)) {
    if (rows.length < 2) continue;
    const texts = new Set<string>();
    for (const row of rows) texts.add(argumentsOf(window.spans.attributes, window.spans.strings, row, keys));
    if (texts.has("")) continue;
    told++;
    if (texts.size <= Math.max(1, MOST_DIFFERENT * rows.length)) same++;
  }
  return told === 0 ? 0 : same / told;
}

function argumentsOf(
  attributes: Case["window"]["spans"]["attributes"],
  strings: Case["window"]["spans"]["strings"],
  row: number,
  keys: readonly number[],
): string {
  for (const key of keys) {
    const at = findAttribute(attributes, row, key);
    if (at < 0 || attributes.type[at] !== AttributeType.string) continue;
    const text = attributeText(attributes, strings, at);
    return /\$\d|\?(?!\w+=)|:[a-z_]\w*\b|%s/i.test(text) && !/^https?:/.test(text) ? "" : text;
  }
  return "";
}
