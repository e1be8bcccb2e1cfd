import { grow, type StringPool } from "./string-pool.ts";

/** What `AttributeTable.value` holds in a row. */
export const AttributeType = {
  /** a string id of the pool */
  string: 0,
  /** a number; 64-bit integers beyond 2^53 are rounded */
  number: 1,
  /** 0 or 1 */
  boolean: 2,
  /** the string id of the JSON text of an array, a map or bytes (base64) */
  json: 3,
} as const;
export type AttributeType = (typeof AttributeType)[keyof typeof AttributeType];

/**
 * Attribute lists in compressed rows: list i is rows `listStart[i] .. listStart[i + 1]`.
 * A list belongs to a span, resource or event of the same number. A key may
 * occur twice in a list; the last one counts, as in OpenTelemetry.
 */
export interface AttributeTable {
  /** lists */
  readonly listCount: number;
  /** listCount + 1 ascending rows; the first is 0 */
  readonly listStart: Int32Array;
  /** string id of each row's key */
  readonly key: Int32Array;
  /** AttributeType of each row */
  readonly type: Uint8Array;
  /** string id or number, by `type` */
  readonly value: Float64Array;
}

/** Where the attributes of a span, series, event or resource are put. */
export interface AttributeSink {
  add(key: number, type: AttributeType, value: number): void;
}

/** Row of `keyId` in list `list`, or -1. */
export function findAttribute(table: AttributeTable, list: number, keyId: number): number {
  for (let row = table.listStart[list + 1]! - 1; row >= table.listStart[list]!; row--) {
    if (table.key[row] === keyId) return row;
  }
  return -1;
}

/** Text of the value in `row`: strings as they are, numbers and booleans printed. */
export function attributeText(table: AttributeTable, strings: StringPool, row: number): string {
  const value = table.value[row]!;
  switch (table.type[row]) {
    case AttributeType.number:
      return String(value);
    case AttributeType.boolean:
      return value === 1 ? "true" : "false";
    default:
      return strings.get(value);
  }
}

/**
 * Fills an AttributeTable. `add` rows, then `closeList` once per owner, in the
 * owners' order; `dropOpenList` takes back the rows of a rejected owner.
 */
export class AttributeTableBuilder implements AttributeSink {
  private listStart = new Int32Array(1 << 8);
  private keys = new Int32Array(1 << 10);
  private types = new Uint8Array(1 << 10);
  private values = new Float64Array(1 << 10);
  private capacity = 1 << 10;
  private lists = 0;
  private rows = 0;

  add(key: number, type: AttributeType, value: number): void {
    const row = this.rows++;
    // Growing stands apart so that this is small enough to become part of the decoders' loops.
    if (row === this.capacity) this.growRows();
    this.keys[row] = key;
    this.types[row] = type;
    this.values[row] = value;
  }

  private growRows(): void {
    this.keys = grow(this.keys, Int32Array, this.rows);
    this.types = grow(this.types, Uint8Array, this.rows);
    this.values = grow(this.values, Float64Array, this.rows);
    this.capacity = this.keys.length;
  }

  /** Ends the open list; returns its number. */
  closeList(): number {
    const list = this.lists++;
    if (this.lists >= this.listStart.length) this.listStart = grow(this.listStart, Int32Array, this.lists + 1);
    this.listStart[this.lists] = this.rows;
    return list;
  }

  dropOpenList(): void {
    this.rows = this.listStart[this.lists]!;
  }

  /** Takes back the last closed list, and rows added since. */
  dropLastList(): void {
    this.lists--;
    this.rows = this.listStart[this.lists]!;
  }

  /** Takes back all but the first `count` closed lists, and rows added since. */
  truncate(count: number): void {
    this.lists = count;
    this.rows = this.listStart[count]!;
  }

  /** First row of closed list `list`; of the number of lists, the row behind the last. */
  startOf(list: number): number {
    return this.listStart[list]!;
  }

  /** Whether `row` holds this; NaN equals NaN. */
  equalsRow(row: number, key: number, type: number, value: number): boolean {
    return this.keys[row] === key && this.types[row] === type && Object.is(this.values[row], value);
  }

  get listCount(): number {
    return this.lists;
  }

  finish(): AttributeTable {
    return {
      listCount: this.lists,
      listStart: this.listStart.subarray(0, this.lists + 1),
      key: this.keys.subarray(0, this.rows),
      type: this.types.subarray(0, this.rows),
      value: this.values.subarray(0, this.rows),
    };
  }
}
