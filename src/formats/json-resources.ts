import type { AttributeSink, AttributeType } from "../model/attribute-table.ts";
import type { SpanTableBuilder } from "../model/span-table-builder.ts";

/**
 * Resources of a table, each kept once: JSON names the same process again in every
 * trace, batch or span. Rows are added and then closed, like those of an
 * AttributeTableBuilder; equal rows in the same order get the same resource.
 */
export class ResourcePool implements AttributeSink {
  private readonly into: SpanTableBuilder;
  private readonly rows: number[] = [];
  private readonly known = new Map<string, number>();

  private constructor(into: SpanTableBuilder) {
    this.into = into;
  }

  /** The pool of this table, shared by all documents decoded into it. */
  static of(into: SpanTableBuilder): ResourcePool {
    let pool = pools.get(into);
    if (pool === undefined) {
      pool = new ResourcePool(into);
      pools.set(into, pool);
    }
    return pool;
  }

  add(key: number, type: AttributeType, value: number): void {
    this.rows.push(key, type, value);
  }

  /** Whether one of the rows added since the last close has this key. */
  has(key: number): boolean {
    for (let i = 0; i < this.rows.length; i += 3) if (this.rows[i] === key) return true;
    return false;
  }

  /** Resource of the rows added since the last close. */
  close(): number {
    const text = this.rows.join();
    let resource = this.known.get(text);
    if (resource === undefined) {
      for (let i = 0; i < this.rows.length; i += 3) {
        this.into.resources.add(this.rows[i]!, this.rows[i + 1] as AttributeType, this.rows[i + 2]!);
      }
      resource = this.into.resources.closeList();
      this.known.set(text, resource);
    }
    this.rows.length = 0;
    return resource;
  }

  /** Forgets the rows added since the last close. */
  clear(): void {
    this.rows.length = 0;
  }

  /** The resource without attributes, for spans whose own was never read. Forgets open rows. */
  closeEmpty(): number {
    this.clear();
    return this.close();
  }
}

const pools = new WeakMap<SpanTableBuilder, ResourcePool>();
