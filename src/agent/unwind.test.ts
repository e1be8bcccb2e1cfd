import { expect, test } from "vitest";
import { CfaProgram, Register, type FrameRules } from "./cfa-program.ts";
import { unwind } from "./unwind.ts";

const SP = 0x7fff_0000;

/** Words of memory from SP upwards. */
const memory = (...words: readonly number[]): Buffer => {
  const copy = Buffer.alloc(words.length * 8);
  words.forEach((word, i) => copy.writeBigUInt64LE(BigInt(word), i * 8));
  return copy;
};

const registers = (ip: number, bp = 0) => ({ ip, sp: SP, bp, bx: 0 });

/** The frame of `push rbp; mov rbp, rsp`, and of a function that keeps its caller's place n bytes up. */
const plain = (offset: number, more: FrameRules["registers"] = new Map()): FrameRules => ({
  cfa: { register: Register.sp, offset },
  registers: new Map([[Register.ip, { kind: "offset", offset: -8 }], ...more]),
  returnRegister: Register.ip,
  isSignalFrame: false,
});

const root: FrameRules = { ...plain(8), registers: new Map([[Register.ip, { kind: "undefined" }]]) };

test("tables and frame pointers by turns: a library without, a program with them, the root by its table", () => {
  // write() keeps 16 bytes; its caller at 0x2000 has a frame pointer, which points to words 4 and 5.
  const copy = memory(7, 0x2001, 8, 9, SP + 8 * 8, 0x3001, 1, 2, 0, 0);
  const rules = new Map([
    [0x1000, plain(16)],
    [0x3000, root],
  ]);
  const found = unwind(registers(0x1000, SP + 4 * 8), copy, (ip) => rules.get(ip));
  // Callers are looked up one byte before the return address: the call may be a function's last instruction.
  expect(found).toEqual({ addresses: [0x1000, 0x2001, 0x3001], isRooted: true });
});

test("a frame pointer that a table saves is the caller's", () => {
  const saved = plain(24, new Map([[Register.bp, { kind: "offset", offset: -16 }]]));
  const copy = memory(0, SP + 5 * 8, 0x2001, 0, 0, 0, 0x3001, 0);
  const rules = new Map([
    [0x1000, saved],
    [0x3000, root],
  ]);
  expect(unwind(registers(0x1000, 0x55), copy, (ip) => rules.get(ip)).addresses).toEqual([0x1000, 0x2001, 0x3001]);
});

test("the copy ends before the stack does: what is known, without a root", () => {
  expect(unwind(registers(0x1000), memory(1), () => plain(64))).toEqual({ addresses: [0x1000], isRooted: false });
});

test("frames that go round in circles end", () => {
  const copy = memory(SP, 0x2001);
  const { addresses, isRooted } = unwind(registers(0x1000, SP), copy, () => undefined);
  expect([addresses.length <= 3, isRooted]).toEqual([true, false]);
});

test("deep recursion is cut", () => {
  const words = Array.from({ length: 4000 }, (_, i) => (i % 2 === 0 ? SP + (i + 2) * 8 : 0x2000));
  expect(unwind(registers(0x1000, SP), memory(...words), () => undefined).addresses.length).toBe(512);
});

test("call frame instructions, up to the place that is asked for", () => {
  // def_cfa sp+8; ip at cfa-8 | advance 1, def_cfa_offset 16, bp at cfa-16 | advance 3, def_cfa_register bp.
  const common = Buffer.from([0x0c, 7, 8, 0x80 | 16, 1]);
  const own = Buffer.from([0x41, 0x0e, 16, 0x80 | 6, 2, 0x43, 0x0d, 6]);
  const at = (place: number): FrameRules => new CfaProgram(1, -8, 16, 0).run(common, own, place, false);
  expect(at(0).cfa).toEqual({ register: 7, offset: 8 });
  expect(at(1).cfa).toEqual({ register: 7, offset: 16 });
  expect(at(1).registers.get(6)).toEqual({ kind: "offset", offset: -16 });
  expect(at(4).cfa).toEqual({ register: 6, offset: 16 });
  expect(at(4).registers.get(16)).toEqual({ kind: "offset", offset: -8 });
});

test("a damaged program is a RangeError, not another answer", () => {
  const run = (...bytes: readonly number[]) =>
    new CfaProgram(1, -8, 16, 0).run(Buffer.alloc(0), Buffer.from(bytes), 0, false);
  expect(() => run(0x0b)).toThrow(RangeError);
  expect(() => run(0x3f)).toThrow(RangeError);
  expect(() => run(0x0c, 0x80)).toThrow(RangeError);
});
