import type { Catalog } from "./catalog.ts";
import type { Attributes, Figure } from "./figures.ts";
import { MOST_PLANS, planFigures, planOf } from "./plans.ts";
import type { PostgresTarget } from "./postgres-target.ts";
import {
  readEvictions,
  readStatements,
  readStatementTexts,
  STATEMENT_COUNTERS,
  type StatementRow,
} from "./read-statements.ts";
import type { Remark } from "./remarks.ts";
import type { Ask } from "./rows.ts";
import { type StatementDelta, statementDeltas } from "./statement-deltas.ts";
import { statementText } from "./statement-texts.ts";
import { troubleOf } from "./trouble.ts";

const PLAN_EVERY_MS = 60_000;
/** Texts that are kept, as pg_stat_statements.max is by default; of more the oldest go. */
const MOST_TEXTS = 5000;

/** The statements of one database, from look to look. */
export class StatementWatch {
  readonly #target: PostgresTarget;
  /** as the server tells them, by query id */
  readonly #texts = new Map<string, string>();
  #before: readonly StatementRow[] | undefined;
  #top: readonly string[] = [];
  /** when plans were asked for, by query id */
  readonly #planned = new Map<string, number>();

  constructor(target: PostgresTarget) {
    this.#target = target;
  }

  /** The statement without literals; undefined where it is not known. */
  textOf(queryId: string): string | undefined {
    const text = this.#texts.get(queryId);
    return text === undefined ? undefined : statementText(text);
  }

  /** Counters from which on is counted: those of an earlier connection, where there was one. */
  async begin(ask: Ask, catalog: Catalog): Promise<void> {
    if (catalog.statementsSchema === undefined) return;
    this.#before ??= await readStatements(ask, catalog);
  }

  /** What the statements did since the last call: the first by time one by one, the others summed. */
  async figures(ask: Ask, catalog: Catalog, remarks: Remark[]): Promise<Figure[]> {
    if (catalog.statementsSchema === undefined) return [];
    const now = await readStatements(ask, catalog);
    const deltas = statementDeltas(this.#before ?? now, now, this.#target.topStatements);
    this.#before = now;
    this.#top = deltas.top.map(({ queryId }) => queryId);
    await this.#learn(ask, catalog, this.#top);
    if (deltas.hidden !== undefined)
      remarks.push({
        what: `texts of statements of other roles are hidden from role ${this.#target.user}`,
        mend: `GRANT pg_monitor TO ${this.#target.user}`,
      });
    const { top, rest, summed, hidden, reset } = deltas;
    return [
      ...top.flatMap((delta) => statementFigures(delta, this.#attributesOf(delta.queryId))),
      ...(rest === undefined ? [] : statementFigures(rest, { "longpole.summed": String(summed) })),
      ...(hidden === undefined ? [] : statementFigures(hidden, { "longpole.hidden": "true" })),
      { name: "postgresql.statement.known", unit: "{statement}", kind: "gauge", value: now.length },
      { name: "postgresql.statement.resets", unit: "{statement}", kind: "delta", value: reset },
      { name: "postgresql.statement.evicted", unit: "1", kind: "total", value: await readEvictions(ask, catalog) },
    ];
  }

  /**
   * Scans of whole tables in the plans of the statements that take the most time; each is asked for once a minute. What
   * only reads and cannot be planned for want of a right is a remark.
   */
  async plans(ask: Ask, remarks: Remark[]): Promise<Figure[]> {
    const figures: Figure[] = [];
    const nowMs = performance.now();
    for (const [queryId, askedMs] of this.#planned) if (nowMs - askedMs >= PLAN_EVERY_MS) this.#planned.delete(queryId);
    for (const queryId of this.#top.slice(0, MOST_PLANS)) {
      const text = this.#planned.has(queryId) ? undefined : this.#texts.get(queryId);
      if (text !== undefined) this.#planned.set(queryId, nowMs);
      if (text === undefined) continue;
      const denied = (error: unknown): void =>
        void remarks.push({ what: `plans: ${troubleOf(error, this.#target)}`, mend: "" });
      const scans = await planOf(ask, text, denied);
      if (scans !== undefined) figures.push(...planFigures(statementText(text), queryId, scans));
    }
    return figures;
  }

  async #learn(ask: Ask, catalog: Catalog, queryIds: readonly string[]): Promise<void> {
    const unknown = queryIds.filter((id) => !this.#texts.has(id));
    for (const [id, text] of await readStatementTexts(ask, catalog, unknown)) this.#texts.set(id, text);
    for (const id of this.#texts.keys()) {
      if (this.#texts.size <= MOST_TEXTS) break;
      this.#texts.delete(id);
    }
  }

  #attributesOf(queryId: string): Attributes {
    const text = this.textOf(queryId);
    return { "postgresql.queryid": queryId, ...(text === undefined ? {} : { "db.query.text": text }) };
  }
}

const statementFigures = ({ counters }: StatementDelta, attributes: Attributes): Figure[] =>
  STATEMENT_COUNTERS.map(({ metric, unit }, i) => ({
    name: `postgresql.statement.${metric}`,
    unit,
    kind: "delta",
    value: counters[i]!,
    attributes,
  }));
