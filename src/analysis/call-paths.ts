import type { CallPaths } from "../model/call-paths.ts";
import { grow } from "../model/string-pool.ts";
import type { TraceForest } from "../model/trace-forest.ts";

/**
 * Merges the traces of a forest into call paths: two spans share a node when they
 * have the same chain of (service, operation, callee, statement) from the root.
 * Callee and statement tell apart what stock instrumentations name alike ("GET",
 * "pg.query:SELECT shop"). Orphan subtrees start nodes of their own.
 *
 * A chain deeper than MAX_DEPTH is recursion in the program: deeper spans become
 * siblings at that depth, so that a 100,000-deep chain does not make 100,000 nodes.
 */
export function buildCallPaths(forest: TraceForest): CallPaths {
  const { rows, parent, facts } = forest;
  const nodeOfRow = new Int32Array(forest.spans.rowCount).fill(-1);
  const nodes = new NodeTable();
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    const up = parent[row]! < 0 ? -1 : nodeOfRow[parent[row]!]!;
    nodeOfRow[row] = nodes.node(
      up,
      facts.service[row]!,
      facts.operation[row]!,
      facts.callee[row]!,
      facts.statement[row]!,
      facts.role[row]!,
    );
  }
  return nodes.finish(nodeOfRow);
}

const MAX_DEPTH = 200;

class NodeTable {
  private count = 0;
  private parent = new Int32Array(64);
  private service = new Int32Array(64);
  private operation = new Int32Array(64);
  private callee = new Int32Array(64);
  private statement = new Int32Array(64);
  private depth = new Int32Array(64);
  private role = new Uint8Array(64);
  private hash = new Int32Array(64);
  private slots = new Int32Array(128);

  node(up: number, service: number, operation: number, callee: number, statement: number, role: number): number {
    const above = up >= 0 && this.depth[up]! >= MAX_DEPTH ? this.parent[up]! : up;
    let hash = Math.imul(above + 1, 0x9e3779b1) ^ Math.imul(service, 0x85ebca6b) ^ Math.imul(operation, 0xc2b2ae35);
    hash =
      Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) ^ Math.imul(callee, 0x27d4eb2f) ^ Math.imul(statement, 0x165667b1);
    hash ^= hash >>> 13;
    const mask = this.slots.length - 1;
    let slot = hash & mask;
    for (; this.slots[slot] !== 0; slot = (slot + 1) & mask) {
      const node = this.slots[slot]! - 1;
      if (
        this.parent[node] === above &&
        this.service[node] === service &&
        this.operation[node] === operation &&
        this.callee[node] === callee &&
        this.statement[node] === statement &&
        this.role[node] === role
      ) {
        return node;
      }
    }
    return this.add(slot, hash, above, service, operation, callee, statement, role);
  }

  finish(nodeOfRow: Int32Array): CallPaths {
    const n = this.count;
    return {
      nodeCount: n,
      parent: this.parent.subarray(0, n),
      service: this.service.subarray(0, n),
      operation: this.operation.subarray(0, n),
      callee: this.callee.subarray(0, n),
      statement: this.statement.subarray(0, n),
      role: this.role.subarray(0, n),
      nodeOfRow,
    };
  }

  private add(
    slot: number,
    hash: number,
    parent: number,
    service: number,
    operation: number,
    callee: number,
    statement: number,
    role: number,
  ): number {
    const node = this.count++;
    if (node === this.parent.length) this.growColumns(node + 1);
    this.parent[node] = parent;
    this.service[node] = service;
    this.operation[node] = operation;
    this.callee[node] = callee;
    this.statement[node] = statement;
    this.role[node] = role;
    this.depth[node] = parent < 0 ? 0 : this.depth[parent]! + 1;
    this.hash[node] = hash;
    this.slots[slot] = node + 1;
    if (this.count * 2 > this.slots.length) this.rehash();
    return node;
  }

  private growColumns(need: number): void {
    this.parent = grow(this.parent, Int32Array, need);
    this.service = grow(this.service, Int32Array, need);
    this.operation = grow(this.operation, Int32Array, need);
    this.callee = grow(this.callee, Int32Array, need);
    this.statement = grow(this.statement, Int32Array, need);
    this.depth = grow(this.depth, Int32Array, need);
    this.hash = grow(this.hash, Int32Array, need);
    this.role = grow(this.role, Uint8Array, need);
  }

  private rehash(): void {
    const slots = new Int32Array(this.slots.length * 2);
    const mask = slots.length - 1;
    for (let node = 0; node < this.count; node++) {
      let slot = this.hash[node]! & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = node + 1;
    }
    this.slots = slots;
  }
}
