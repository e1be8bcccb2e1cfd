/**
 * The name of a C++ or Rust function as its programmers know it, without arguments and with `<…>` for what a template
 * was made with: `_ZN2v88internal4Heap14CollectGarbageE…` is `v8::internal::Heap::CollectGarbage`. Names that are not
 * mangled, and those beyond this part of the grammar, stay as they are. After the Itanium C++ ABI, section 5.1, and Rust's
 * legacy mangling.
 */
export function demangle(mangled: string): string {
  const name = mangled
    .replace(/^_(_Z|_R)/, "$1")
    .replace(/\.(?:constprop|isra|part|cold|llvm|lto_priv)\..*$|\.cold$/, "");
  if (!name.startsWith("_Z"))
    return name.startsWith("_R") ? mangled : mangled.replace(/\.(?:constprop|isra|part|cold)(?:\.\d+)*$/, "");
  try {
    return new Demangler(name.slice(2)).function() ?? mangled;
  } catch (error) {
    if (error instanceof Unknown) return mangled;
    throw error;
  }
}

class Unknown extends Error {}

const OPERATORS: Readonly<Record<string, string>> = {
  nw: "new",
  na: "new[]",
  dl: "delete",
  da: "delete[]",
  ps: "+",
  ng: "-",
  ad: "&",
  de: "*",
  co: "~",
  pl: "+",
  mi: "-",
  ml: "*",
  dv: "/",
  rm: "%",
  an: "&",
  or: "|",
  eo: "^",
  aS: "=",
  pL: "+=",
  mI: "-=",
  mL: "*=",
  dV: "/=",
  rM: "%=",
  aN: "&=",
  oR: "|=",
  eO: "^=",
  ls: "<<",
  rs: ">>",
  lS: "<<=",
  rS: ">>=",
  eq: "==",
  ne: "!=",
  lt: "<",
  gt: ">",
  le: "<=",
  ge: ">=",
  ss: "<=>",
  nt: "!",
  aa: "&&",
  oo: "||",
  pp: "++",
  mm: "--",
  cm: ",",
  pm: "->*",
  pt: "->",
  cl: "()",
  ix: "[]",
  qu: "?",
};

const STANDARD: Readonly<Record<string, string>> = {
  t: "std",
  a: "std::allocator",
  b: "std::basic_string",
  s: "std::string",
  i: "std::istream",
  o: "std::ostream",
  d: "std::iostream",
};

class Demangler {
  private readonly text: string;
  private at = 0;
  /** what S_, S0_, ... stand for, in the order in which they appeared */
  private readonly seen: string[] = [];

  constructor(text: string) {
    this.text = text;
  }

  /** The name of a function; undefined for data such as tables of virtual functions. */
  function(): string | undefined {
    if (/^(?:T|G)/.test(this.text)) return undefined;
    const name = this.name();
    return name === ""
      ? undefined
      : name
          .replace(/::h[\da-f]{16}$/, "")
          .replaceAll("$LT$", "<")
          .replaceAll("$GT$", ">")
          .replaceAll("$u20$", " ")
          .replaceAll("$RF$", "&")
          .replaceAll("$C$", ",")
          .replaceAll("$u7b$", "{")
          .replaceAll("$u7d$", "}")
          .replaceAll("..", "::");
  }

  private name(): string {
    if (this.eat("N")) return this.nested();
    if (this.eat("Z")) return this.local();
    const isStandard = this.eat("St");
    let name = !isStandard && this.peek("S") ? this.substitution() : (isStandard ? "std::" : "") + this.unqualified("");
    if (this.peek("I")) {
      this.seen.push(name);
      name += this.templateArguments();
    }
    return name;
  }

  private local(): string {
    const within = this.name();
    // The arguments of the function around it; only the mark behind them matters.
    while (!this.peek("E")) this.type();
    this.at++;
    if (this.eat("s")) return within;
    const inside = this.name();
    return `${within}::${inside}`;
  }

  private nested(): string {
    this.text.slice(this.at).replace(/^[rVK]*[RO]?/, (qualifiers) => {
      this.at += qualifiers.length;
      return "";
    });
    let name = "";
    let last = "";
    while (!this.eat("E")) {
      if (this.peek("S") && !this.peek("St")) {
        name = this.substitution();
        last = name;
        continue;
      }
      if (this.eat("St")) {
        name = last = "std";
        continue;
      }
      if (this.peek("I")) {
        name += this.templateArguments();
      } else if (this.peek("T") || (this.peek("D") && /^D[tT]/.test(this.text.slice(this.at)))) {
        name = this.type();
      } else {
        const part = this.unqualified(last);
        name = name === "" ? part : `${name}::${part}`;
        last = part;
      }
      if (!this.peek("E")) this.seen.push(name);
    }
    return name;
  }

  private unqualified(around: string): string {
    let name: string;
    const rest = this.text.slice(this.at, this.at + 2);
    if (this.eat("L")) return this.unqualified(around);
    if (/^\d/.test(rest)) name = this.source();
    else if (/^C[I]?[1-5]/.test(rest)) {
      this.at += 2;
      name = around.replace(/^.*::/, "");
    } else if (/^D[0-5]/.test(rest)) {
      this.at += 2;
      name = `~${around.replace(/^.*::/, "")}`;
    } else if (this.eat("Ut")) {
      this.untilUnderscore();
      name = "{unnamed}";
    } else if (this.eat("Ul")) {
      while (!this.eat("E")) this.type();
      this.untilUnderscore();
      name = "{lambda}";
    } else if (this.eat("cv")) name = `operator ${this.type()}`;
    else if (rest in OPERATORS) {
      this.at += 2;
      name = `operator${/^[a-z]/.test(OPERATORS[rest]!) ? " " : ""}${OPERATORS[rest]!}`;
    } else throw new Unknown();
    while (this.eat("B")) name += `[abi:${this.source()}]`;
    return name;
  }

  private source(): string {
    const digits = /^\d+/.exec(this.text.slice(this.at));
    if (digits === null) throw new Unknown();
    this.at += digits[0].length;
    const length = Number(digits[0]);
    if (this.at + length > this.text.length) throw new Unknown();
    const name = this.text.slice(this.at, this.at + length);
    this.at += length;
    return name.startsWith("_GLOBAL__N") ? "(anonymous namespace)" : name;
  }

  private untilUnderscore(): void {
    const end = this.text.indexOf("_", this.at);
    if (end < 0) throw new Unknown();
    this.at = end + 1;
  }

  private substitution(): string {
    this.at++;
    const letter = this.text[this.at] ?? "";
    const standard = STANDARD[letter];
    if (standard !== undefined) {
      this.at++;
      return standard;
    }
    const start = this.at;
    this.untilUnderscore();
    const digits = this.text.slice(start, this.at - 1);
    const number = digits === "" ? 0 : Number.parseInt(digits, 36) + 1;
    const found = this.seen[number];
    // Types are left out of the list where they only stand for what a template was made with.
    return found ?? "…";
  }

  private templateArguments(): string {
    this.at++;
    while (!this.eat("E")) this.templateArgument();
    return "<…>";
  }

  private templateArgument(): void {
    if (this.eat("J")) {
      while (!this.eat("E")) this.templateArgument();
    } else if (this.eat("L")) {
      if (this.eat("_Z")) this.name();
      else {
        this.type();
        while (!this.peek("E")) this.step();
      }
      this.at++;
    } else if (this.eat("X")) throw new Unknown();
    else this.type();
  }

  private step(): void {
    if (++this.at > this.text.length) throw new Unknown();
  }

  /** Reads one type. Its text is only told where a name needs it. */
  private type(): string {
    const letter = this.text[this.at] ?? "";
    if (/[PROKVrCG]/.test(letter)) {
      this.at++;
      const inner = this.type();
      this.seen.push(inner);
      return inner;
    }
    if (letter === "F") {
      this.at++;
      this.eat("Y");
      while (!this.eat("E")) this.type();
      this.seen.push("function");
      return "function";
    }
    if (letter === "A") {
      this.untilUnderscore();
      const inner = this.type();
      this.seen.push(inner);
      return inner;
    }
    if (letter === "M") {
      this.at++;
      this.type();
      const inner = this.type();
      this.seen.push(inner);
      return inner;
    }
    if (letter === "T") {
      this.untilUnderscore();
      this.seen.push("…");
      if (this.peek("I")) this.templateArguments();
      return "…";
    }
    if (letter === "D") {
      if (this.eat("Dp")) return this.type();
      if (/^D[nadefhisu]/.test(this.text.slice(this.at))) {
        this.at += 2;
        return "builtin";
      }
      throw new Unknown();
    }
    if (letter === "S" && !this.peek("St")) {
      let name = this.substitution();
      if (this.peek("I")) {
        name += this.templateArguments();
        this.seen.push(name);
      }
      return name;
    }
    if (/[a-z]/.test(letter)) {
      this.at++;
      if (letter === "u") this.source();
      return "builtin";
    }
    const name = this.name();
    this.seen.push(name);
    return name;
  }

  private peek(text: string): boolean {
    return this.text.startsWith(text, this.at);
  }

  private eat(text: string): boolean {
    if (!this.peek(text)) {
      if (this.at >= this.text.length) throw new Unknown();
      return false;
    }
    this.at += text.length;
    return true;
  }
}
