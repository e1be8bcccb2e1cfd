/**
 * Profiles as one tree of calls, for drawing: what a page gets as JSON, short keys for its size.
 * Columns of one length; parents before children, the root is row 0.
 */
export interface FlameTree {
  readonly title: string;
  readonly type: string;
  readonly unit: string;
  /** name, place and kind of each function */
  readonly functions: readonly (readonly [name: string, place: string, kind: string])[];
  /** row of the caller, -1 for the root */
  readonly parent: readonly number[];
  /** index of `functions` */
  readonly function: readonly number[];
  /** with all that it called */
  readonly value: readonly number[];
  /** the same in the window before, scaled to the total of this one; absent without one */
  readonly before?: readonly number[];
  /** calls too small to be drawn, which are left out */
  readonly left: number;
}
