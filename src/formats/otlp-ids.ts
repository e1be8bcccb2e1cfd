/** Sets `count` words of `column` to the id in `[start, end)`; one of another length is left as it is. */
export function readOtlpId(
  words: DataView,
  column: Uint32Array,
  at: number,
  start: number,
  end: number,
  count: number,
): void {
  if (end - start !== 4 * count) return;
  for (let i = 0; i < count; i++) column[at + i] = words.getUint32(start + 4 * i);
}

/** What stands where an id of `want` bytes should be. */
export function idFound(field: string, length: number, want: number): string {
  if (length === 0) return `no ${field}`;
  return length === want ? `${field} of zeros` : `${field} of ${length} bytes, not ${want}`;
}
