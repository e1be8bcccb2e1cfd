import { Register, type FrameRules } from "./cfa-program.ts";
import { DwarfReader } from "./dwarf-reader.ts";
import type { UserRegisters } from "./probe-stream.ts";

/** Finds the rules for a place in a process; undefined: no table covers it, so that frame pointers have to do. */
export type FindRules = (ip: number) => FrameRules | undefined;

export interface Unwound {
  /** addresses, innermost first; callers' are behind their calls */
  readonly addresses: readonly number[];
  /** whether it came to the outermost frame, by what that frame says of itself */
  readonly isRooted: boolean;
}

/** Deeper is recursion that nobody reads to its end. */
const MAX_FRAMES = 512;

/**
 * The callers of a sampled place, from a copy of its stack: by the tables of the code where it has
 * some, else by frame pointers, which code compiled at run time, Go and Node keep.
 *
 * copy: memory from registers.sp upwards. Ends where the tables say so, or where the copy does.
 */
export function unwind(registers: UserRegisters, copy: Buffer, rulesAt: FindRules): Unwound {
  const memory = new StackMemory(Number(registers.sp), copy);
  const values = new Map<number, number>([
    [Register.sp, Number(registers.sp)],
    [Register.ip, Number(registers.ip)],
  ]);
  // Zero: not known, of a thread that was asleep when the recording began.
  if (registers.bp !== 0n) values.set(Register.bp, Number(registers.bp));
  if (registers.bx !== 0n) values.set(Register.bx, Number(registers.bx));
  const addresses: number[] = [];
  let isBehindCall = false;
  while (addresses.length < MAX_FRAMES) {
    const ip = values.get(Register.ip)!;
    if (ip === 0) return { addresses, isRooted: addresses.length > 0 };
    addresses.push(ip);
    const rules = rulesAt(isBehindCall ? ip - 1 : ip);
    const step = rules === undefined ? byFramePointer(values, memory) : byRules(rules, values, memory);
    if (step === "root") return { addresses, isRooted: true };
    if (step === "lost") return { addresses, isRooted: false };
    isBehindCall = rules?.isSignalFrame !== true;
  }
  return { addresses, isRooted: false };
}

class StackMemory {
  private readonly start: number;
  private readonly bytes: Buffer;

  constructor(start: number, bytes: Buffer) {
    this.start = start;
    this.bytes = bytes;
  }

  read(address: number): number | undefined {
    const at = address - this.start;
    return at >= 0 && at + 8 <= this.bytes.length ? Number(this.bytes.readBigUInt64LE(at)) : undefined;
  }
}

type Step = "on" | "root" | "lost";

/** The layout that every function with a frame pointer has: the caller's, then the place behind the call. */
function byFramePointer(values: Map<number, number>, memory: StackMemory): Step {
  const bp = values.get(Register.bp);
  if (bp === undefined || bp < values.get(Register.sp)!) return "lost";
  const ip = memory.read(bp + 8);
  const callers = memory.read(bp);
  if (ip === undefined || callers === undefined) return "lost";
  values.set(Register.ip, ip);
  values.set(Register.sp, bp + 16);
  values.set(Register.bp, callers);
  return ip === 0 ? "root" : "on";
}

function byRules(rules: FrameRules, values: Map<number, number>, memory: StackMemory): Step {
  const back = rules.registers.get(rules.returnRegister);
  if (back?.kind === "undefined") return "root";
  const { cfa: rule } = rules;
  const base = "register" in rule ? values.get(rule.register) : undefined;
  const cfa =
    "expression" in rule
      ? evaluate(rule.expression, [], values, memory)
      : base === undefined
        ? undefined
        : base + rule.offset;
  // A frame has to lie above its callee's, or it would go round in circles.
  if (cfa === undefined || cfa <= values.get(Register.sp)!) return "lost";
  const before = new Map(values);
  values.set(Register.sp, cfa);
  for (const register of [Register.bx, Register.bp, Register.sp, Register.ip]) {
    const own = register === Register.ip ? back : rules.registers.get(register);
    if (own === undefined || own.kind === "same") continue;
    const value = valueOf(own, cfa, before, memory);
    if (value !== undefined) values.set(register, value);
    else if (register === Register.ip) return "lost";
    else values.delete(register);
  }
  if (back === undefined) return "lost";
  return "on";
}

function valueOf(
  rule: NonNullable<ReturnType<FrameRules["registers"]["get"]>>,
  cfa: number,
  values: ReadonlyMap<number, number>,
  memory: StackMemory,
): number | undefined {
  switch (rule.kind) {
    case "offset":
      return memory.read(cfa + rule.offset);
    case "value-offset":
      return cfa + rule.offset;
    case "register":
      return values.get(rule.register);
    case "expression": {
      const address = evaluate(rule.expression, [cfa], values, memory);
      return address === undefined ? undefined : memory.read(address);
    }
    case "value-expression":
      return evaluate(rule.expression, [cfa], values, memory);
    case "same":
    case "undefined":
      return undefined;
  }
}

/**
 * A DWARF expression of the few operations that compilers and linkers use in frames: registers with an
 * offset, constants, memory, and the sums and comparisons of the procedure linkage table. Undefined for any other.
 */
function evaluate(
  expression: Buffer,
  stack: number[],
  values: ReadonlyMap<number, number>,
  memory: StackMemory,
): number | undefined {
  const reader = new DwarfReader(expression, 0, 0);
  try {
    while (!reader.isAtEnd) {
      const code = reader.u8();
      if (code >= 0x30 && code <= 0x4f) stack.push(code - 0x30);
      else if (code >= 0x70 && code <= 0x8f) {
        const register = values.get(code - 0x70);
        const offset = reader.sleb();
        if (register === undefined) return undefined;
        stack.push(register + offset);
      } else if (code === 0x08) stack.push(reader.u8());
      else if (code === 0x09) stack.push((reader.u8() << 24) >> 24);
      else if (code === 0x06) {
        const value = memory.read(stack.pop() ?? -1);
        if (value === undefined) return undefined;
        stack.push(value);
      } else if (code === 0x23) stack.push((stack.pop() ?? 0) + reader.uleb());
      else if (!operate(code, stack)) return undefined;
    }
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  return stack.pop();
}

/** Operations on the two uppermost values; false for one that is not known. */
function operate(code: number, stack: number[]): boolean {
  const second = stack.pop() ?? 0;
  const first = stack.pop() ?? 0;
  switch (code) {
    case 0x1a:
      // Addresses have more than 32 bits; what is masked here are the lowest four.
      stack.push(Number(BigInt(first) & BigInt(second)));
      return true;
    case 0x1c:
      stack.push(first - second);
      return true;
    case 0x22:
      stack.push(first + second);
      return true;
    case 0x24:
      stack.push(first * 2 ** second);
      return true;
    case 0x2a:
      stack.push(first >= second ? 1 : 0);
      return true;
    default:
      return false;
  }
}
