import { describe, expect, it } from "vitest";
import { seededRandom } from "../../testing/otlp-sample.ts";
import { encodeHeader, RecordKind, scanSegment, type WalRecord } from "./record.ts";

const SALT = 0x5eed_5a17;

function record(seq: number, body: Uint8Array | string, meta = "{}"): WalRecord {
  return { kind: RecordKind.data, seq, receivedMs: 1.79e12 + seq, meta: Buffer.from(meta), body: Buffer.from(body) };
}

const segment = (records: readonly WalRecord[], salt = SALT): Buffer =>
  Buffer.concat(records.flatMap((one) => [encodeHeader(one, salt), one.meta, one.body]));

function seqsIn(bytes: Buffer, salt = SALT): { seqs: number[]; places: number; bytes: number } {
  const seqs: number[] = [];
  const scan = scanSegment(bytes, salt, 0, ({ seq }) => seqs.push(seq));
  return { seqs, places: scan.places, bytes: scan.bytes };
}

describe("scanSegment", () => {
  const records = [
    record(1, "first"),
    record(2, ""),
    record(3, "a longer body of the third", '{"n":3}'),
    record(4, "last"),
  ];
  const whole = segment(records);

  it("reads back what was written", () => {
    const found: WalRecord[] = [];
    expect(scanSegment(whole, SALT, 0, (one) => found.push(one))).toEqual({
      bytes: 0,
      places: 0,
      end: whole.length,
    });
    expect(found.map(({ kind, seq, receivedMs }) => ({ kind, seq, receivedMs }))).toEqual(
      records.map(({ kind, seq, receivedMs }) => ({ kind, seq, receivedMs })),
    );
    const text = ({ meta, body }: WalRecord): string => Buffer.concat([meta, Buffer.from(" "), body]).toString();
    expect(found.map(text)).toEqual(records.map(text));
  });

  it("reads back records without a body whose array has no memory either", () => {
    // Once an empty array went through WebAssembly, a stream or structuredClone, its address is null.
    const detached = structuredClone(new Uint8Array(0));
    const bytes = segment([
      { ...record(1, "", '{"a":1}'), body: detached },
      { ...record(2, "x"), meta: detached },
    ]);
    expect(seqsIn(bytes)).toEqual({ seqs: [1, 2], places: 0, bytes: 0 });
  });

  it("keeps all but the damaged record, whichever byte of it is another", () => {
    const ends = records.map((_, i) => segment(records.slice(0, i + 1)).length);
    for (let at = 0; at < whole.length; at++) {
      const flipped = Buffer.from(whole);
      flipped[at]! ^= 1 << (at % 8);
      const hit = ends.findIndex((end) => at < end);
      const length = ends[hit]! - (ends[hit - 1] ?? 0);
      expect({ at, ...seqsIn(flipped) }).toEqual({
        at,
        seqs: [1, 2, 3, 4].filter((seq) => seq !== hit + 1),
        places: 1,
        bytes: length,
      });
    }
  });

  it.each([
    ["", 0],
    [", also where zeros stand behind it that were written ahead", 10_000],
  ])("keeps what stands whole before a cut, wherever that is%s", (_, ahead) => {
    const ends = records.map((__, i) => segment(records.slice(0, i + 1)).length);
    for (let size = 0; size < whole.length; size++) {
      const count = ends.filter((end) => end <= size).length;
      const rest = whole.subarray(ends[count - 1] ?? 0, size);
      expect({ size, ...seqsIn(Buffer.concat([whole.subarray(0, size), Buffer.alloc(ahead)])) }).toEqual({
        size,
        seqs: [1, 2, 3, 4].slice(0, count),
        places: rest.length > 0 ? 1 : 0,
        // The zeros with which a piece of a record ends cannot be told from those behind it.
        bytes: rest.findLastIndex((byte) => byte !== 0) + 1,
      });
    }
  });

  it("ends where the last record does, which may end with zeros itself", () => {
    const bytes = segment([record(1, "first"), record(2, Buffer.from([7, 0, 0, 0]))]);
    for (const ahead of [0, 1, 4095, 4096, 4097, 20_000]) {
      const scan = scanSegment(Buffer.concat([bytes, Buffer.alloc(ahead)]), SALT, 0, () => {});
      expect(scan).toEqual({ places: 0, bytes: 0, end: bytes.length });
    }
    expect(scanSegment(Buffer.alloc(20_000), SALT, 0, () => {})).toEqual({ places: 0, bytes: 0, end: 0 });
  });

  it("counts a byte that is another within the zeros ahead as damage, and keeps all records", () => {
    const ahead = Buffer.concat([whole, Buffer.alloc(9000)]);
    for (let at = whole.length; at < ahead.length; at += 7) {
      const flipped = Buffer.from(ahead);
      flipped[at]! ^= 1 << (at % 8);
      const bytes = at + 1 - whole.length;
      expect({ at, ...seqsIn(flipped) }).toEqual({ at, seqs: [1, 2, 3, 4], places: 1, bytes });
    }
  });

  it("takes nothing that a sender put into a body for a record", () => {
    // What they can send: whole records, under any salt but the segment's, which they do not know.
    const forged = segment([record(77, "forged")], SALT ^ 1);
    const bytes = segment([record(1, forged), record(2, "after")]);
    bytes[50]! ^= 1;
    expect(seqsIn(bytes).seqs).toEqual([2]);
  });

  it("is not slowed by bodies full of what looks like beginnings", () => {
    // 250,000 of them: had each to be checked by its whole length, this would take hours.
    const magic = Buffer.from(segment([record(1, "")]).subarray(0, 4));
    const tempting = Buffer.alloc(1_000_000, magic);
    const bytes = segment([record(1, tempting), record(2, "after")]);
    bytes[60]! ^= 1;
    expect(seqsIn(bytes).seqs).toEqual([2]);
  });

  it("never throws for random bytes", () => {
    const random = seededRandom(11);
    for (let i = 0; i < 200; i++) {
      const noise = Buffer.from(Array.from({ length: Math.floor(random() * 300) }, () => Math.floor(random() * 256)));
      expect(seqsIn(Buffer.concat([noise, whole])).seqs).toEqual([1, 2, 3, 4]);
    }
  });
});
