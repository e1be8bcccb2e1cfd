import { mapToInts } from "../model/map-column.ts";

/** The word of `known` that `word` was probably meant to be: the one with the fewest edits, undefined if none is near. */
export function nearestWord(word: string, known: Iterable<string>): string | undefined {
  // More than 40 % of the letters wrong is another word, not a slip.
  let best: string | undefined;
  let bestEdits = Math.floor(0.4 * Math.max(word.length, 3)) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= bestEdits) continue;
    const edits = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (edits < bestEdits) {
      best = candidate;
      bestEdits = edits;
    }
  }
  return best;
}

/** Fewest insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let beforeLast = new Int32Array(b.length + 1);
  let last = mapToInts(beforeLast, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = new Int32Array(b.length + 1);
    row[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let edits = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        edits = Math.min(edits, beforeLast[j - 2]! + 1);
      row[j] = edits;
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
