import { expect, test } from "vitest";
import { CountKind, ProbeStreamReader, type ProbeRecord } from "./probe-stream.ts";

/** A record as the helper writes it. */
function record(type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(4 + body.length, 0);
  head.writeUInt32LE(type, 4);
  return Buffer.concat([head, body]);
}

const probe = record(2, Buffer.from("on-cpu\0none\0Permission denied\0"));
const exec = record(7, Buffer.from([7, 0, 0, 0, 0x67, 0x12, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]));

function read(pieces: readonly Buffer[]): { records: ProbeRecord[]; isWhole: boolean } {
  const records: ProbeRecord[] = [];
  const reader = new ProbeStreamReader((one) => records.push(one));
  for (const piece of pieces) reader.push(piece);
  return { records, isWhole: reader.isWhole };
}

const EXPECTED = [
  { type: "probe", name: "on-cpu", rung: "none", reason: "Permission denied" },
  { type: "exec", tgid: 0x1267 },
];

test("records come in whatever pieces the pipe makes", () => {
  const all = Buffer.concat([probe, exec]);
  expect(read([all])).toEqual({ records: EXPECTED, isWhole: true });
  expect(read(Array.from(all, (byte) => Buffer.from([byte])))).toEqual({ records: EXPECTED, isWhole: true });
  expect(read([all.subarray(0, all.length - 1)])).toEqual({ records: EXPECTED.slice(0, 1), isWhole: false });
});

test("a stack: registers, addresses and the copy behind them", () => {
  const body = Buffer.alloc(104 + 8 * (48 + 96) + 16);
  body.writeUInt32LE(3, 0);
  body.writeUInt32LE(10, 4);
  body.writeUInt32LE(11, 8);
  body.writeInt32LE(-1, 12);
  body.writeBigUInt64LE(1009n, 24);
  body.writeUInt16LE(1, 36);
  body.writeUInt16LE(2, 38);
  body.writeBigUInt64LE(0x401000n, 40);
  body.writeBigUInt64LE(0x7ffe0000n, 48);
  body.write("worker", 72);
  body.writeBigUInt64LE(0x7f1234567008n, 88);
  body.writeBigUInt64LE(5_000_000_000n, 96);
  body.writeBigUInt64LE(0xffffffff81000000n, 104);
  body.writeBigUInt64LE(0x401000n, 104 + 8 * 48);
  body.writeBigUInt64LE(0x402000n, 104 + 8 * 49);
  body.writeBigUInt64LE(0x1234n, body.length - 8);
  const [found] = read([record(3, body)]).records;
  expect(found).toMatchObject({
    type: "sample",
    stack: {
      tgid: 10,
      tid: 11,
      syscall: -1,
      value: 1009,
      comm: "worker",
      registers: { ip: 0x401000, sp: 0x7ffe0000, bp: 0, bx: 0 },
      address: 0x7f1234567008,
      tookNs: 5e9,
      kernel: [-0x7f000000],
      user: [0x401000, 0x402000],
    },
  });
  expect(found?.type === "sample" && found.stack.copy.readBigUInt64LE(8)).toBe(0x1234n);
});

test("a count: whose, of what, how much, and how long each took", () => {
  const body = Buffer.alloc(16 + 24 + 4 * 24);
  for (const [i, value] of [4711, 2, (254 << 20) | 16, 1].entries()) body.writeUInt32LE(value, 4 * i);
  for (const [i, value] of [3n, 70_000n, 12_288n].entries()) body.writeBigUInt64LE(value, 16 + 8 * i);
  body.writeUInt32LE(2, 40);
  body.writeUInt32LE(1, 40 + 4 * 3);
  const slots = [2, 0, 0, 1, ...Array.from({ length: 20 }, () => 0)];
  expect(read([record(15, body)]).records).toEqual([
    {
      type: "count",
      tgid: 4711,
      kind: CountKind.blockWrite,
      which: 266_338_320,
      isLast: true,
      count: 3,
      ns: 70_000,
      bytes: 12_288,
      slots,
    },
  ]);
});

test("page faults of a thread", () => {
  const body = Buffer.alloc(92);
  body.writeUInt32LE(4712, 0);
  for (const [i, value] of [70_000n, 69_000n, 5_000_000_000n, 12n, 6_000_000n].entries())
    body.writeBigUInt64LE(value, 4 + 8 * i);
  body.writeUInt32LE(4711, 84);
  expect(read([record(16, body)]).records).toEqual([
    {
      type: "faults",
      tid: 4712,
      tgid: 4711,
      minorSeen: 70_000,
      minorTimed: 69_000,
      minorNs: 5e9,
      major: 12,
      majorNs: 6e6,
    },
  ]);
});

test.each([
  [
    "a length of nothing",
    Buffer.from([0, 0, 0, 0, 2, 0, 0, 0]),
    /at byte 0: expected a record, found a record of 0 bytes/,
  ],
  ["an absurd length", Buffer.from([255, 255, 255, 255, 2, 0, 0, 0]), /found a record of 4294967295 bytes/],
  ["an unknown type", record(99, Buffer.alloc(4)), /found type 99/],
  ["a record that is too short", record(8, Buffer.alloc(12)), /found 12 bytes of type 8, which has 140/],
])("%s", (_, bytes, message) => {
  expect(() => read([bytes])).toThrow(message);
  expect(() => read([exec, bytes])).toThrow(/at byte 24:|type/);
});

test("a helper of another version is refused, with the command that mends it", () => {
  const hello = Buffer.alloc(40);
  hello.writeUInt32LE(2, 0);
  expect(() => read([record(1, hello)])).toThrow(/writes version 2 .* reads 4: npm run build:native/);
});
