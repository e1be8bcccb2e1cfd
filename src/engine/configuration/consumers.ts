import { findFlows } from "../../analysis/flows.ts";
import type { Finding } from "../../model/report.ts";
import { SpanKind } from "../../model/span-table.ts";
import { NS_PER_S } from "../../model/units.ts";
import type { Window } from "../window.ts";
import { count, ms } from "../wording.ts";
import type { NamedSetting } from "./configuration-check.ts";
import { connectionsFor } from "./pool-size.ts";

/** Fewer messages tell no rate. */
const MIN_MESSAGES = 20;

/**
 * How many messages a consumer has to work on at once, by Little's law: those that are sent per second times what the handling of
 * one takes, for random arrivals with one place free for 95 of 100 (Erlang C). What it does work on at once is what its spans
 * show. Undefined where that is enough, and where spans don't tell.
 */
export function consumersOf({ subject }: Finding, window: Window): NamedSetting | undefined {
  const { forest, facts, spans, text } = window;
  const flows = findFlows(forest);
  const rows = Array.from({ length: flows.rowCount }, (_, i) => i).filter(
    (i) =>
      text(facts.service[flows.consumer[i]!]!) === subject.service &&
      text(facts.operation[flows.consumer[i]!]!) === subject.operation,
  );
  if (rows.length < MIN_MESSAGES) return undefined;
  const handlers = [...new Set(rows.map((i) => flows.consumer[i]!))];
  const senders = new Set(
    rows.map((i) => `${facts.service[flows.producer[i]!]!} ${facts.operation[flows.producer[i]!]!}`),
  );
  const sent = Array.from(forest.rows).filter(
    (row) => spans.kind[row] === SpanKind.producer && senders.has(`${facts.service[row]!} ${facts.operation[row]!}`),
  );
  const weight = (row: number): number => forest.weight[forest.trace[row]!]!;
  const total = (of: readonly number[], value: (row: number) => number): number =>
    of.reduce((sum, row) => sum + value(row), 0);
  const starts = sent.map((row) => forest.startNs[row]!);
  const seconds = (starts.reduce((a, b) => Math.max(a, b)) - starts.reduce((a, b) => Math.min(a, b))) / NS_PER_S;
  if (!(seconds > 0)) return undefined;
  // A batch is handled once for all of its messages.
  const perMessage = handlers.length / rows.length;
  const eachNs =
    total(handlers, (row) => weight(row) * (forest.endNs[row]! - forest.startNs[row]!)) / total(handlers, weight);
  const rate = (total(sent, weight) / seconds) * perMessage;
  const now = atOnce(window, handlers);
  const need = connectionsFor((rate * eachNs) / NS_PER_S);
  if (need <= now) return undefined;
  return {
    setting: "workers",
    change: `workers: ${now} -> ${need}`,
    arithmetic: `${rate.toFixed(1)}/s × ${ms(eachNs)} = ${((rate * eachNs) / NS_PER_S).toFixed(2)} messages to be handled at once, of all instances of ${subject.service}; it handles ${now} (${count(handlers.length)} spans), and ${need} leave one free for 95 of 100 (Erlang C)`,
    remedy: `Let ${subject.service} handle as many messages at once (consumers, prefetch, partitions), as far as its processors and what it calls bear it, or make the handling of one cheaper.`,
    reference: "Little's law; Erlang C",
    query: `CONSUMER spans "${subject.operation}" of ${subject.service}: most at one time; PRODUCER spans of its senders per second`,
  };
}

/** Most spans at one time. */
function atOnce({ forest }: Window, rows: readonly number[]): number {
  const edges = rows.flatMap((row) => [
    { at: forest.startNs[row]!, by: 1 },
    { at: forest.endNs[row]!, by: -1 },
  ]);
  // One that ends as another begins makes room for it.
  edges.sort((a, b) => a.at - b.at || a.by - b.by);
  let [open, most] = [0, 1];
  for (const { by } of edges) most = Math.max(most, (open += by));
  return most;
}
