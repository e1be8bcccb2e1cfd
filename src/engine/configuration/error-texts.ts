import { attributeText, type AttributeTable } from "../../model/attribute-table.ts";
import { oncePerWindow } from "../once-per-window.ts";
import type { Window } from "../window.ts";

/** Spans that failed for a reason whose text matches, and how many spans of the same service and role there are. */
export interface MatchingErrors {
  readonly service: string;
  readonly rows: readonly number[];
  /** of the service's spans of the same role */
  readonly share: number;
  /** the text of the first */
  readonly example: string;
}

/** What failed spans say of themselves: error.type, codes, and the exceptions among their events. */
const textsOfErrors = oncePerWindow((window): ReadonlyMap<number, string> => {
  const { spans, forest, facts, text } = window;
  const texts = new Map<number, string>();
  const collect = (row: number, table: AttributeTable, list: number): void => {
    for (let at = table.listStart[list]!; at < table.listStart[list + 1]!; at++) {
      if (!TELLING.test(text(table.key[at]!))) continue;
      const told = attributeText(table, spans.strings, at);
      texts.set(row, texts.has(row) ? `${texts.get(row)} ${told}` : told);
    }
  };
  for (const row of forest.rows) if (facts.error[row] === 1) collect(row, spans.attributes, row);
  const { events } = spans;
  for (let i = 0; i < events.rowCount; i++) {
    const row = events.span[i]!;
    if (forest.trace[row]! >= 0) collect(row, events.attributes, i);
  }
  return texts;
});

const TELLING =
  /^(error(\.(type|message|kind))?|exception\.(type|message)|db\.response\.status_code|otel\.status_description|message|event)$/;

/** By service, most first. */
export function errorsLike(window: Window, pattern: RegExp): MatchingErrors[] {
  const { facts, forest, text } = window;
  const found = new Map<string, { service: string; role: number; rows: number[]; example: string }>();
  for (const [row, told] of textsOfErrors(window)) {
    if (!pattern.test(told)) continue;
    const service = text(facts.service[row]!);
    const key = `${service} ${facts.role[row]}`;
    const held = found.get(key);
    if (held === undefined) found.set(key, { service, role: facts.role[row]!, rows: [row], example: told });
    else held.rows.push(row);
  }
  return [...found.values()]
    .map(({ service, role, rows, example }) => {
      let all = 0;
      for (const row of forest.rows) if (facts.role[row] === role && text(facts.service[row]!) === service) all++;
      return { service, rows, share: rows.length / Math.max(1, all), example: example.slice(0, 120) };
    })
    .toSorted((a, b) => b.rows.length - a.rows.length);
}
