/**
 * Critical paths of all traces of a forest. Segments of a trace are disjoint,
 * ascending in time and cover its root exactly, so they sum to its duration.
 */
export interface SegmentTable {
  /** traceCount + 1 positions; segments of trace t are `traceStart[t] .. traceStart[t + 1]` */
  readonly traceStart: Int32Array;
  /** span row that the time belongs to */
  readonly row: Int32Array;
  readonly startNs: Float64Array;
  readonly endNs: Float64Array;
}
