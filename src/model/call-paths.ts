/**
 * Call paths: the chain of (service, operation, callee, statement) from a trace's
 * root to a span, merged over all traces into one forest of nodes. Parents come before children.
 */
export interface CallPaths {
  readonly nodeCount: number;
  /** per node: parent node, -1 for endpoints */
  readonly parent: Int32Array;
  /** per node: string ids */
  readonly service: Int32Array;
  readonly operation: Int32Array;
  /** per node: SpanRole */
  readonly role: Uint8Array;
  /** per node: string id of the callee that its spans name, -1 for none */
  readonly callee: Int32Array;
  /** per node: string id of the normalised statement, -1 for none */
  readonly statement: Int32Array;
  /** per span row: its node; -1 for rows outside of the forest */
  readonly nodeOfRow: Int32Array;
}
