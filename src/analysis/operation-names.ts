import { normaliseStatement } from "./statement.ts";

/** Distinct values at one place of otherwise equal names, above which the place holds an identifier. */
const LEARNED_VARIETY = 25;

/**
 * Groups operation names that differ only by identifiers: `GET /users/8123`
 * becomes `GET /users/{id}`. First by the look of a token (numbers, UUIDs, long
 * hexadecimal or digit-rich words, e-mail addresses), then by what the data shows: a
 * place of a path that takes more than 25 values among names that are otherwise
 * equal. Statements used as names lose their literals. Returns the grouped
 * name for each given name; names without identifiers come back unchanged.
 */
export function groupOperationNames(names: readonly string[]): Map<string, string> {
  const grouped = new Map<string, string>();
  for (const name of names) grouped.set(name, withoutObviousIdentifiers(name));
  const learned = new Map(learnedPlaceholders(new Set(grouped.values())));
  if (learned.size > 0) for (const [name, held] of grouped) grouped.set(name, learned.get(held) ?? held);
  return grouped;
}

const STATEMENT = /^\s*(?:select|insert|update|delete|with|merge|call|exec)\s[\s\S]*['\d$?]/i;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;

function withoutObviousIdentifiers(name: string): string {
  if (STATEMENT.test(name) && /\b(?:from|into|set|values|where)\b/i.test(name)) return normaliseStatement(name);
  if (!/[\d@]/.test(name)) return name;
  const cut = name.includes("/") ? name.replace(/\?\S*$/, "") : name;
  return cut
    .replace(UUID, "{id}")
    .split(/([/\s])/)
    .map((token, i, all) => (isIdentifier(token, all[i - 1] === "/") ? "{id}" : token))
    .join("");
}

/** Whether a token between slashes or blanks is a value rather than a word. */
function isIdentifier(token: string, inPath: boolean): boolean {
  if (/^\d+$/.test(token)) return inPath || token.length >= 3;
  if (/^[0-9a-f]{12,}$/i.test(token) && /\d/.test(token)) return true;
  if (/^[^@\s/]+@[^@\s/]+\.[a-z]+$/i.test(token)) return true;
  // Ids such as `ord_8f3k2j1x` or `A-2023-00017`: at least 8 characters, a third of them digits.
  const digits = token.replace(/\D/g, "").length;
  return inPath && token.length >= 8 && digits * 3 >= token.length;
}

/** Pairs (name, grouped name) for path places with more than LEARNED_VARIETY values. */
function learnedPlaceholders(names: Set<string>): [from: string, to: string][] {
  const byShape = new Map<string, string[][]>();
  for (const name of names) {
    const parts = name.split("/");
    if (parts.length < 2) continue;
    const shape = `${parts.length}/${parts[0]}/${parts[1]}`;
    let held = byShape.get(shape);
    if (held === undefined) byShape.set(shape, (held = []));
    held.push(parts);
  }
  const renamed: [string, string][] = [];
  for (const group of byShape.values()) {
    if (group.length <= LEARNED_VARIETY) continue;
    const places = group[0]!.length;
    for (let place = 2; place < places; place++) {
      const others = new Map<string, string[][]>();
      for (const parts of group) {
        const key = parts.map((part, i) => (i === place ? "" : part)).join("/");
        let held = others.get(key);
        if (held === undefined) others.set(key, (held = []));
        held.push(parts);
      }
      for (const alike of others.values()) {
        if (alike.length <= LEARNED_VARIETY) continue;
        for (const parts of alike) {
          renamed.push([parts.join("/"), parts.map((part, i) => (i === place ? "{id}" : part)).join("/")]);
        }
      }
    }
  }
  return renamed;
}
