/**
 * Sorts `rows[from .. to)` in place so that `before(a, b)` holds for no row b
 * left of a row a; `before` must be a strict order. Stable.
 *
 * Runs of 16 by insertion, then merges bottom-up; a merge whose halves are in
 * order already costs one comparison. Children of a span come nearly sorted, so
 * that it is linear for them. Array.prototype.sort would need an array per list,
 * TypedArray.prototype.sort copies to compare.
 */
export function sortRows(rows: Int32Array, from: number, to: number, before: (a: number, b: number) => boolean): void {
  const n = to - from;
  if (n < 2) return;
  for (let run = from; run < to; run += RUN) insertionSort(rows, run, Math.min(run + RUN, to), before);
  if (n <= RUN) return;
  let scratch: Int32Array | undefined;
  for (let width = RUN; width < n; width *= 2) {
    for (let left = from; left + width < to; left += 2 * width) {
      const middle = left + width;
      if (!before(rows[middle]!, rows[middle - 1]!)) continue;
      scratch ??= new Int32Array(n);
      merge(rows, left, middle, Math.min(middle + width, to), scratch, before);
    }
  }
}

/** Elements per insertion-sorted run; between 8 and 32 it makes no difference that could be measured. */
const RUN = 16;

function insertionSort(rows: Int32Array, from: number, to: number, before: (a: number, b: number) => boolean): void {
  for (let i = from + 1; i < to; i++) {
    const row = rows[i]!;
    let j = i - 1;
    while (j >= from && before(row, rows[j]!)) {
      rows[j + 1] = rows[j]!;
      j--;
    }
    rows[j + 1] = row;
  }
}

function merge(
  rows: Int32Array,
  left: number,
  middle: number,
  right: number,
  scratch: Int32Array,
  before: (a: number, b: number) => boolean,
): void {
  const size = middle - left;
  for (let i = 0; i < size; i++) scratch[i] = rows[left + i]!;
  let i = 0;
  let j = middle;
  let out = left;
  while (i < size && j < right) rows[out++] = before(rows[j]!, scratch[i]!) ? rows[j++]! : scratch[i++]!;
  while (i < size) rows[out++] = scratch[i++]!;
}
