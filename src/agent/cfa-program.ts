import { DwarfReader } from "./dwarf-reader.ts";

/** Numbers of x86-64 registers in DWARF. */
export const Register = { bx: 3, bp: 6, sp: 7, ip: 16 } as const;

/** Where a register's value in the caller is. */
export type RegisterRule =
  | { readonly kind: "same" | "undefined" }
  /** in memory at the frame's address plus `offset`, or that address itself */
  | { readonly kind: "offset" | "value-offset"; readonly offset: number }
  | { readonly kind: "expression" | "value-expression"; readonly expression: Buffer }
  | { readonly kind: "register"; readonly register: number };

/** How to find the caller of one place in the code. */
export interface FrameRules {
  /** the canonical frame address: the stack pointer before the call */
  readonly cfa: { readonly register: number; readonly offset: number } | { readonly expression: Buffer };
  /** rules by number; absent: the caller's value is still in the register */
  readonly registers: ReadonlyMap<number, RegisterRule>;
  readonly returnRegister: number;
  /** the interrupted place is no call: its address is not the one behind a call */
  readonly isSignalFrame: boolean;
}

type Cfa = FrameRules["cfa"];

/** Runs call frame instructions up to a place. After DWARF 5, section 6.4. */
export class CfaProgram {
  private readonly codeAlign: number;
  private readonly dataAlign: number;
  private readonly returnRegister: number;
  private readonly address: number;
  private cfa: Cfa = { register: Register.sp, offset: 8 };
  private registers = new Map<number, RegisterRule>();
  private readonly remembered: { cfa: Cfa; registers: Map<number, RegisterRule> }[] = [];
  private initial = new Map<number, RegisterRule>();

  constructor(codeAlign: number, dataAlign: number, returnRegister: number, address: number) {
    this.codeAlign = codeAlign;
    this.dataAlign = dataAlign;
    this.returnRegister = returnRegister;
    this.address = address;
  }

  /** place: bytes behind the start of the function. Throws a RangeError on a damaged program. */
  run(common: Buffer, own: Buffer, place: number, isSignalFrame: boolean): FrameRules {
    this.execute(common, Infinity);
    this.initial = new Map(this.registers);
    this.execute(own, place);
    return { cfa: this.cfa, registers: this.registers, returnRegister: this.returnRegister, isSignalFrame };
  }

  private execute(instructions: Buffer, place: number): void {
    const reader = new DwarfReader(instructions, this.address, 0);
    let at = 0;
    while (!reader.isAtEnd) {
      const code = reader.u8();
      const operand = code & 0x3f;
      if (code >>> 6 === 1) at += operand * this.codeAlign;
      else if (code >>> 6 === 2) this.setOffset(operand, reader.uleb());
      else if (code >>> 6 === 3) this.restore(operand);
      else if (code >= 0x02 && code <= 0x04)
        at += (code === 2 ? reader.u8() : code === 3 ? reader.u16() : reader.u32()) * this.codeAlign;
      else this.extended(code, reader);
      if (at > place) return;
    }
  }

  private extended(code: number, reader: DwarfReader): void {
    switch (code) {
      case 0x00:
        return;
      case 0x05:
        return this.setOffset(reader.uleb(), reader.uleb());
      case 0x06:
        return this.restore(reader.uleb());
      case 0x07:
        return this.set(reader.uleb(), { kind: "undefined" });
      case 0x08:
        return this.set(reader.uleb(), { kind: "same" });
      case 0x09:
        return this.set(reader.uleb(), { kind: "register", register: reader.uleb() });
      case 0x0a:
        this.remembered.push({ cfa: this.cfa, registers: new Map(this.registers) });
        return;
      case 0x0b: {
        const before = this.remembered.pop();
        if (before === undefined) throw new RangeError("restores a state that was not remembered");
        this.cfa = before.cfa;
        this.registers = before.registers;
        return;
      }
      case 0x10:
        return this.set(reader.uleb(), { kind: "expression", expression: reader.block() });
      case 0x11:
        return this.setOffset(reader.uleb(), reader.sleb());
      case 0x14:
        return this.set(reader.uleb(), { kind: "value-offset", offset: reader.uleb() * this.dataAlign });
      case 0x15:
        return this.set(reader.uleb(), { kind: "value-offset", offset: reader.sleb() * this.dataAlign });
      case 0x16:
        return this.set(reader.uleb(), { kind: "value-expression", expression: reader.block() });
      case 0x2e:
        reader.uleb();
        return;
      default:
        this.frameAddress(code, reader);
    }
  }

  private frameAddress(code: number, reader: DwarfReader): void {
    switch (code) {
      case 0x0c:
        this.cfa = { register: reader.uleb(), offset: reader.uleb() };
        return;
      case 0x0d:
        this.cfa = { register: reader.uleb(), offset: "offset" in this.cfa ? this.cfa.offset : 0 };
        return;
      case 0x0e:
        this.cfa = { register: "register" in this.cfa ? this.cfa.register : Register.sp, offset: reader.uleb() };
        return;
      case 0x0f:
        this.cfa = { expression: reader.block() };
        return;
      case 0x12:
        this.cfa = { register: reader.uleb(), offset: reader.sleb() * this.dataAlign };
        return;
      case 0x13:
        this.cfa = {
          register: "register" in this.cfa ? this.cfa.register : Register.sp,
          offset: reader.sleb() * this.dataAlign,
        };
        return;
      default:
        throw new RangeError(`call frame instruction ${code}`);
    }
  }

  private setOffset(register: number, factor: number): void {
    this.set(register, { kind: "offset", offset: factor * this.dataAlign });
  }

  private set(register: number, rule: RegisterRule): void {
    this.registers.set(register, rule);
  }

  private restore(register: number): void {
    const rule = this.initial.get(register);
    if (rule === undefined) this.registers.delete(register);
    else this.registers.set(register, rule);
  }
}
