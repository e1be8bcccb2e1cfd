import { Register, type FrameRules, type RegisterRule } from "./cfa-program.ts";
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
  const memory = new StackMemory(registers.sp, copy);
  const values: Values = {
    sp: registers.sp,
    ip: registers.ip,
    // Zero: not known, of a thread that was asleep when the recording began.
    bp: registers.bp || Number.NaN,
    bx: registers.bx || Number.NaN,
  };
  const addresses: number[] = [];
  let isBehindCall = false;
  while (addresses.length < MAX_FRAMES) {
    const { ip } = values;
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

/** The registers that lead from frame to frame; NaN: not known. Fields, since each frame of each sample reads and sets them. */
interface Values {
  sp: number;
  ip: number;
  bp: number;
  bx: number;
}

function valueIn(values: Readonly<Values>, register: number): number {
  switch (register) {
    case Register.sp:
      return values.sp;
    case Register.ip:
      return values.ip;
    case Register.bp:
      return values.bp;
    case Register.bx:
      return values.bx;
    default:
      return Number.NaN;
  }
}

class StackMemory {
  private readonly start: number;
  private readonly size: number;
  private readonly view: DataView;

  constructor(start: number, bytes: Buffer) {
    this.start = start;
    this.size = bytes.length;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** NaN outside of the copy. */
  read(address: number): number {
    const at = address - this.start;
    // In halves: a BigInt for each word would be garbage at once.
    return at >= 0 && at + 8 <= this.size
      ? this.view.getUint32(at + 4, true) * 2 ** 32 + this.view.getUint32(at, true)
      : Number.NaN;
  }
}

type Step = "on" | "root" | "lost";

/** The layout that every function with a frame pointer has: the caller's, then the place behind the call. */
function byFramePointer(values: Values, memory: StackMemory): Step {
  const { bp } = values;
  if (!(bp >= values.sp)) return "lost";
  const ip = memory.read(bp + 8);
  const callers = memory.read(bp);
  if (Number.isNaN(ip) || Number.isNaN(callers)) return "lost";
  values.ip = ip;
  values.sp = bp + 16;
  values.bp = callers;
  return ip === 0 ? "root" : "on";
}

function byRules(rules: FrameRules, values: Values, memory: StackMemory): Step {
  const back = rules.registers.get(rules.returnRegister);
  if (back?.kind === "undefined") return "root";
  const { cfa: rule } = rules;
  const cfa =
    "expression" in rule ? evaluate(rule.expression, [], values, memory) : valueIn(values, rule.register) + rule.offset;
  // A frame has to lie above its callee's, or it would go round in circles.
  if (back === undefined || !(cfa > values.sp)) return "lost";
  // All of them by those before.
  const bx = callers(rules.registers.get(Register.bx), values.bx, cfa, values, memory);
  const bp = callers(rules.registers.get(Register.bp), values.bp, cfa, values, memory);
  const sp = callers(rules.registers.get(Register.sp), cfa, cfa, values, memory);
  values.ip = callers(back, values.ip, cfa, values, memory);
  values.bx = bx;
  values.bp = bp;
  values.sp = sp;
  return Number.isNaN(values.ip) ? "lost" : "on";
}

/** A register's value in the caller; kept: what it is where no rule says otherwise. */
function callers(
  own: RegisterRule | undefined,
  kept: number,
  cfa: number,
  values: Readonly<Values>,
  memory: StackMemory,
): number {
  return own === undefined || own.kind === "same" ? kept : valueOf(own, cfa, values, memory);
}

/** NaN where it cannot be told. */
function valueOf(rule: RegisterRule, cfa: number, values: Readonly<Values>, memory: StackMemory): number {
  switch (rule.kind) {
    case "offset":
      return memory.read(cfa + rule.offset);
    case "value-offset":
      return cfa + rule.offset;
    case "register":
      return valueIn(values, rule.register);
    case "expression":
      return memory.read(evaluate(rule.expression, [cfa], values, memory));
    case "value-expression":
      return evaluate(rule.expression, [cfa], values, memory);
    case "same":
    case "undefined":
      return Number.NaN;
  }
}

/**
 * A DWARF expression of the few operations that compilers and linkers use in frames: registers with an
 * offset, constants, memory, and the sums and comparisons of the procedure linkage table. NaN for any other.
 */
function evaluate(expression: Buffer, stack: number[], values: Readonly<Values>, memory: StackMemory): number {
  const reader = new DwarfReader(expression, 0, 0);
  try {
    while (!reader.isAtEnd) {
      const code = reader.u8();
      if (code >= 0x30 && code <= 0x4f) stack.push(code - 0x30);
      else if (code >= 0x70 && code <= 0x8f) {
        const register = valueIn(values, code - 0x70);
        const offset = reader.sleb();
        if (Number.isNaN(register)) return Number.NaN;
        stack.push(register + offset);
      } else if (code === 0x08) stack.push(reader.u8());
      else if (code === 0x09) stack.push((reader.u8() << 24) >> 24);
      else if (code === 0x06) {
        const value = memory.read(stack.pop() ?? -1);
        if (Number.isNaN(value)) return Number.NaN;
        stack.push(value);
      } else if (code === 0x23) stack.push((stack.pop() ?? 0) + reader.uleb());
      else if (!operate(code, stack)) return Number.NaN;
    }
  } catch (error) {
    if (error instanceof RangeError) return Number.NaN;
    throw error;
  }
  return stack.pop() ?? Number.NaN;
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
