import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Scan, scanSegment, type WalRecord } from "./record.ts";

/** A file of the log. Its name holds its number and salt: a damaged first byte loses neither. */
export interface Segment {
  readonly id: number;
  readonly path: string;
  readonly salt: number;
  /** bytes that are known to be on the disk, without the zeros behind them */
  size: number;
  /** data records in it whose block the store has not got yet */
  outstanding: number;
}

const NAME = /^(\d{10})-([0-9a-f]{8})\.wal$/;

export function newSegment(dir: string, id: number): Segment {
  const salt = randomBytes(4);
  const path = join(dir, `${String(id).padStart(10, "0")}-${salt.toString("hex")}.wal`);
  return { id, path, salt: salt.readUInt32BE(), size: 0, outstanding: 0 };
}

/** Segments of a folder, the oldest first; other files are left alone. */
export function listSegments(dir: string): Segment[] {
  const found: Segment[] = [];
  for (const name of readdirSync(dir)) {
    const match = NAME.exec(name);
    if (match === null) continue;
    const salt = Number.parseInt(match[2]!, 16);
    found.push({ id: Number(match[1]), path: join(dir, name), salt, size: 0, outstanding: 0 });
  }
  return found.toSorted((a, b) => a.id - b.id);
}

/** Reads a segment from `from` on, a record after the other. Damage is counted; an unreadable file throws. */
export function readSegment(segment: Segment, from: number, take: (record: WalRecord, offset: number) => void): Scan {
  const scan = scanSegment(readFileSync(segment.path), segment.salt, from, take);
  segment.size = scan.end;
  return scan;
}
