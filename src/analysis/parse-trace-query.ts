import type { AttributeTest, Comparison, SpanCondition, TextTest, TraceExpression } from "../model/trace-query.ts";
import { readTokens, type Token } from "./trace-query-tokens.ts";

export type ParsedTraceQuery =
  | { readonly kind: "query"; readonly expression: TraceExpression }
  /** `at`: index of the first letter that does not fit */
  | { readonly kind: "invalid"; readonly at: number; readonly expected: string; readonly found: string };

/** Longer ones are no questions of people. */
const LONGEST = 4000;
/** Parentheses within parentheses. */
const DEEPEST = 60;

/**
 * A subset of TraceQL (https://grafana.com/docs/tempo/latest/traceql/):
 *
 *     { resource.service.name = "shop" && duration > 100ms } >> { span.http.status_code >= 500 || status = error }
 *
 * Between sets of spans `&&`, `||`, `>` (child) and `>>` (descendant, which binds closest); within one `&&`, `||`, `!`
 * and parentheses. Fields: `name`, `duration`, `status`, `kind`, `span.KEY`, `resource.KEY`, `.KEY`, odd keys in quotes.
 * Values: texts in quotes, numbers, durations (`100ms`, `1.5s`), `true`, `false`, `nil`. Patterns after `=~` and `!~` match
 * the whole text. Aggregates, pipelines and fields of whole traces are not in it. Never throws.
 */
export function parseTraceQuery(text: string): ParsedTraceQuery {
  if (text.length > LONGEST)
    return { kind: "invalid", at: LONGEST, expected: `at most ${LONGEST} letters`, found: `${text.length}` };
  try {
    const parser = new Parser(readTokens(text));
    return { kind: "query", expression: parser.whole() };
  } catch (error) {
    if (error instanceof Misfit) {
      const { at, expected, found } = error;
      return { kind: "invalid", at, expected, found };
    }
    throw error;
  }
}

class Misfit extends Error {
  readonly at: number;
  readonly expected: string;
  readonly found: string;

  constructor(at: number, expected: string, found: string) {
    super(expected);
    this.at = at;
    this.expected = expected;
    this.found = found;
  }
}

const STATUS: Readonly<Record<string, number>> = { unset: 0, ok: 1, error: 2 };
const KINDS: Readonly<Record<string, number>> = {
  unspecified: 0,
  internal: 1,
  server: 2,
  client: 3,
  producer: 4,
  consumer: 5,
};
const COMPARISONS: readonly string[] = ["=", "!=", "<", "<=", ">", ">="];
const TEXT_TESTS: readonly string[] = ["=", "!=", "=~", "!~"];
const FIELDS = 'a field: name, duration, status, kind, span.KEY, resource.KEY, .KEY or "!"';

class Parser {
  private readonly tokens: readonly Token[];
  private next = 0;
  private depth = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  whole(): TraceExpression {
    const expression = this.either();
    const { kind, text } = this.token;
    if (kind !== "end") {
      this.misfit(
        text === "|" ? "the end: aggregates and pipelines are not understood here" : "&&, ||, >, >> or the end",
      );
    }
    return expression;
  }

  private either(): TraceExpression {
    let left = this.both();
    while (this.take("||")) left = { kind: "or", left, right: this.both() };
    return left;
  }

  private both(): TraceExpression {
    let left = this.related();
    while (this.take("&&")) left = { kind: "and", left, right: this.related() };
    return left;
  }

  private related(): TraceExpression {
    let left = this.spans();
    for (;;) {
      if (this.take(">>")) left = { kind: "descendant", left, right: this.spans() };
      else if (this.take(">")) left = { kind: "child", left, right: this.spans() };
      else return left;
    }
  }

  private spans(): TraceExpression {
    if (this.take("(")) return this.nested(() => this.either(), ")");
    this.expect("{", '"{": conditions of a span stand in braces');
    if (this.take("}")) return { kind: "spans", where: { kind: "all", of: [] } };
    return { kind: "spans", where: this.nested(() => this.anyOf(), "}") };
  }

  private anyOf(): SpanCondition {
    const of = [this.allOf()];
    while (this.take("||")) of.push(this.allOf());
    return of.length === 1 ? of[0]! : { kind: "any", of };
  }

  private allOf(): SpanCondition {
    const of = [this.one()];
    while (this.take("&&")) of.push(this.one());
    return of.length === 1 ? of[0]! : { kind: "all", of };
  }

  private one(): SpanCondition {
    if (this.take("!")) return this.nested((): SpanCondition => ({ kind: "not", of: this.one() }));
    if (this.take("(")) return this.nested(() => this.anyOf(), ")");
    if (this.token.kind !== "word" && this.token.kind !== "key") this.misfit(FIELDS);
    const field = this.token;
    this.next++;
    if (field.kind === "key") return this.attribute(field);
    switch (field.text) {
      case "true":
        return { kind: "all", of: [] };
      case "false":
        return { kind: "any", of: [] };
      case "name":
        return { kind: "name", test: this.textTest("name") };
      case "duration":
        return this.duration();
      case "status":
        return { kind: "status", ...this.named(STATUS) };
      case "kind":
        return { kind: "span-kind", ...this.named(KINDS) };
      default:
        this.next--;
        this.misfit(FIELDS);
    }
  }

  private attribute({ scope, text: key }: Extract<Token, { kind: "key" }>): SpanCondition {
    if (scope === "resource" && key === "service.name" && !this.isBeforeNil()) {
      return { kind: "service", test: this.textTest("a service's name") };
    }
    return { kind: "attribute", scope, key, test: this.attributeTest() };
  }

  private attributeTest(): AttributeTest {
    const operator = this.token;
    if (operator.kind !== "mark" || ![...COMPARISONS, ...TEXT_TESTS].includes(operator.text))
      this.misfit("=, !=, <, <=, >, >=, =~ or !~");
    this.next++;
    const op = operator.text;
    const value = this.token;
    this.next++;
    const isEquality = op === "=" || op === "!=";
    if (value.kind === "text" && TEXT_TESTS.includes(op))
      return this.checked({ op: op as TextTest["op"], text: value.text }, value);
    if (value.kind === "number" && COMPARISONS.includes(op)) return { op: op as Comparison, number: value.number };
    if (value.kind === "word" && isEquality) {
      if (value.text === "true" || value.text === "false") return { op, text: value.text };
      if (value.text === "nil") return { op: op === "=" ? "absent" : "present" };
    }
    this.next--;
    if (op === "=~" || op === "!~") this.misfit("a pattern in quotes");
    this.misfit(isEquality ? 'a text in quotes, a number, "true", "false" or "nil"' : "a number");
  }

  private textTest(what: string): TextTest {
    const operator = this.token;
    if (operator.kind !== "mark" || !TEXT_TESTS.includes(operator.text)) this.misfit(`=, !=, =~ or !~ after ${what}`);
    this.next++;
    const value = this.token;
    if (value.kind !== "text") this.misfit("a text in quotes");
    this.next++;
    return this.checked({ op: operator.text as TextTest["op"], text: value.text }, value);
  }

  /** A pattern has to mean the same to browsers and to RE2, in which the store searches. */
  private checked(test: TextTest, token: Token): TextTest {
    if (test.op !== "=~" && test.op !== "!~") return test;
    const body = test.text.replace(/^\(\?i\)/, "");
    if (/\(\?(?!:)|\\[1-9kpPCQEAzZ]/.test(body))
      throw new Misfit(token.at, "a pattern without look-around, references and classes by name", `"${test.text}"`);
    try {
      new RegExp(body, "su");
    } catch {
      throw new Misfit(token.at, "a regular expression", `"${test.text}"`);
    }
    return test;
  }

  private duration(): SpanCondition {
    const operator = this.token;
    if (operator.kind !== "mark" || !COMPARISONS.includes(operator.text))
      this.misfit("=, !=, <, <=, > or >= after duration");
    this.next++;
    const value = this.token;
    if (value.kind !== "duration") this.misfit("a duration: 100ms, 1.5s, 20us, 2m");
    this.next++;
    return { kind: "duration", op: operator.text as Comparison, ns: value.number };
  }

  private named(codes: Readonly<Record<string, number>>): { op: "=" | "!="; code: number } {
    const operator = this.token;
    if (operator.kind !== "mark" || (operator.text !== "=" && operator.text !== "!=")) this.misfit("= or !=");
    this.next++;
    const value = this.token;
    const code = value.kind === "word" && Object.hasOwn(codes, value.text) ? codes[value.text] : undefined;
    if (code === undefined) this.misfit(Object.keys(codes).join(", "));
    this.next++;
    return { op: operator.text as "=" | "!=", code };
  }

  private isBeforeNil(): boolean {
    const value = this.tokens[this.next + 1];
    return value?.kind === "word" && value.text === "nil";
  }

  private nested<T>(inside: () => T, end?: string): T {
    if (++this.depth > DEEPEST) this.misfit(`at most ${DEEPEST} parentheses within each other`);
    const held = inside();
    if (end !== undefined) this.expect(end, `"${end}", && or ||`);
    this.depth--;
    return held;
  }

  private get token(): Token {
    return this.tokens[Math.min(this.next, this.tokens.length - 1)]!;
  }

  private take(mark: string): boolean {
    const { kind, text } = this.token;
    if (kind !== "mark" || text !== mark) return false;
    this.next++;
    return true;
  }

  private expect(mark: string, expected: string): void {
    if (!this.take(mark)) this.misfit(expected);
  }

  private misfit(expected: string): never {
    const { kind, at, source } = this.token;
    throw new Misfit(at, expected, kind === "end" ? "the end" : kind === "bad" ? this.token.text : `"${source}"`);
  }
}
