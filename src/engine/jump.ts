/**
 * By how much `values` jump between positions at - 1 and at, apart from trends on both sides: straight lines are fitted to both sides by least squares, and
 * compared half-way between the two positions (regression discontinuity with linear sides). A step gives its height, a
 * ramp, however steep, nothing. At least 2 values on either side.
 */
export function jumpAt(values: Float64Array, at: number): number {
  const place = at - 0.5;
  return lineAt(values, at, values.length, place) - lineAt(values, 0, at, place);
}

/** Value at `place` of the line through `values[from .. to - 1]`. */
function lineAt(values: Float64Array, from: number, to: number, place: number): number {
  const n = to - from;
  const middle = (from + to - 1) / 2;
  let mean = 0;
  for (let i = from; i < to; i++) mean += values[i]! / n;
  let across = 0;
  let squares = 0;
  for (let i = from; i < to; i++) {
    across += (i - middle) * (values[i]! - mean);
    squares += (i - middle) ** 2;
  }
  return mean + (across / squares) * (place - middle);
}
