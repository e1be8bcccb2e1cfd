/** The words of a trace query; `at` is the index of the first letter, `source` what stands there. */
export type Token =
  | {
      readonly kind: "mark" | "word" | "text" | "end" | "bad";
      readonly text: string;
      readonly at: number;
      readonly source: string;
    }
  | {
      readonly kind: "key";
      readonly scope: "span" | "resource" | "any";
      readonly text: string;
      readonly at: number;
      readonly source: string;
    }
  /** `number` of a duration is in nanoseconds */
  | {
      readonly kind: "number" | "duration";
      readonly number: number;
      readonly text: string;
      readonly at: number;
      readonly source: string;
    };

const SPACE = /\s+/y;
const MARK = /&&|\|\||>>|>=|<=|!=|=~|!~|[{}()!<>=|]/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"|`([^`]*)`/sy;
/** An attribute: its scope, then a key without spaces and marks, or one in quotes. */
const KEY = /(span|resource|)\.(?:"((?:[^"\\]|\\.)*)"|([^\s{}()=!<>&|"`]+))/sy;
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/y;
const DURATION = /(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)(?!\w)/y;
const WORD = /[A-Za-z_][\w:]*/y;
const NS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** The last is `end`, or `bad` where nothing of the language stands: `text` then says what is there. */
export function readTokens(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; ;) {
    at += matched(SPACE, text, at)?.[0].length ?? 0;
    if (at >= text.length) return [...tokens, { kind: "end", text: "", at: text.length, source: "" }];
    const token = tokenAt(text, at);
    tokens.push(token);
    if (token.kind === "bad") return tokens;
    at += token.source.length;
  }
}

function tokenAt(text: string, at: number): Token {
  const key = matched(KEY, text, at);
  if (key !== null) {
    const scope = key[1] === "" ? "any" : (key[1] as "span" | "resource");
    return { kind: "key", scope, text: key[2] === undefined ? key[3]! : unescaped(key[2]), at, source: key[0] };
  }
  const quoted = matched(QUOTED, text, at);
  if (quoted !== null) {
    return { kind: "text", text: quoted[1] === undefined ? quoted[2]! : unescaped(quoted[1]), at, source: quoted[0] };
  }
  const duration = matched(DURATION, text, at);
  if (duration !== null) {
    return { kind: "duration", number: Number(duration[1]) * NS[duration[2]!]!, text: "", at, source: duration[0] };
  }
  const number = matched(NUMBER, text, at);
  if (number !== null) return { kind: "number", number: Number(number[0]), text: "", at, source: number[0] };
  for (const [kind, pattern] of [
    ["mark", MARK],
    ["word", WORD],
  ] as const) {
    const found = matched(pattern, text, at);
    if (found !== null) return { kind, text: found[0], at, source: found[0] };
  }
  const letter = String.fromCodePoint(text.codePointAt(at)!);
  return {
    kind: "bad",
    text: letter === '"' || letter === "`" ? "a quote without its end" : `"${letter}"`,
    at,
    source: letter,
  };
}

function matched(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

/** `\"` and `\\` and `\n`, `\t`; before any other letter the backslash stays, as patterns need it. */
const unescaped = (text: string): string =>
  text.replace(/\\(["\\nt])/g, (_, letter: string) => (letter === "n" ? "\n" : letter === "t" ? "\t" : letter));
