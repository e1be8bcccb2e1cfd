/** Characters of a piece: large enough to be written at once, far below the 2^29 that a string of V8 can have. */
const PIECE = 1 << 20;

/**
 * `JSON.stringify(value, null, 2)` and a line's end, in pieces: a report of a million endpoints is
 * longer than a string can be. The elements of the arrays directly in `value` are written one by one.
 */
export function* jsonDocument(value: object): Generator<string> {
  let text = "{";
  let first = true;
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    text += `${first ? "" : ","}\n  ${JSON.stringify(key)}: `;
    first = false;
    if (!Array.isArray(item) || item.length === 0) {
      text += inner(item, "  ");
      continue;
    }
    for (const [i, element] of item.entries()) {
      text += `${i === 0 ? "[" : ","}\n    ${inner(element, "    ")}`;
      if (text.length < PIECE) continue;
      yield text;
      text = "";
    }
    text += "\n  ]";
  }
  yield `${text}${first ? "" : "\n"}}\n`;
}

/** JSON of a part, its lines but the first indented. No line ends within a JSON string. As in arrays, nothing is null. */
const inner = (item: unknown, indent: string): string =>
  (JSON.stringify(item ?? null, null, 2) ?? "null").replaceAll("\n", `\n${indent}`);
