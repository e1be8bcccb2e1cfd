/**
 * A question for traces, as `parseTraceQuery` (src/analysis/parse-trace-query.ts) reads it: a subset of TraceQL.
 * A trace is found if the expression holds in it; the spans that make it hold are its matches.
 */
export type TraceExpression =
  /** spans of which the condition holds; there has to be one */
  | { readonly kind: "spans"; readonly where: SpanCondition }
  /** both hold, in the same trace */
  | { readonly kind: "and"; readonly left: TraceExpression; readonly right: TraceExpression }
  | { readonly kind: "or"; readonly left: TraceExpression; readonly right: TraceExpression }
  /** matches of `right` that have a match of `left` as parent (`child`) or anywhere above (`descendant`) */
  | { readonly kind: "child"; readonly left: TraceExpression; readonly right: TraceExpression }
  | { readonly kind: "descendant"; readonly left: TraceExpression; readonly right: TraceExpression };

export type SpanCondition =
  /** without parts it holds of every span */
  | { readonly kind: "all"; readonly of: readonly SpanCondition[] }
  | { readonly kind: "any"; readonly of: readonly SpanCondition[] }
  | { readonly kind: "not"; readonly of: SpanCondition }
  /** the service is "unknown_service" where the resource names none */
  | { readonly kind: "service" | "name"; readonly test: TextTest }
  | { readonly kind: "duration"; readonly op: Comparison; readonly ns: number }
  /** OTLP's numbers of status codes and kinds */
  | { readonly kind: "status" | "span-kind"; readonly op: "=" | "!="; readonly code: number }
  /** of an attribute that is not there nothing holds but `absent`; "any" takes the span's, else the resource's */
  | {
      readonly kind: "attribute";
      readonly scope: "span" | "resource" | "any";
      readonly key: string;
      readonly test: AttributeTest;
    };

export type Comparison = "=" | "!=" | "<" | "<=" | ">" | ">=";

/** Patterns are of RE2 and match the whole text. */
export type TextTest = { readonly op: "=" | "!=" | "=~" | "!~"; readonly text: string };

/** Attributes are compared as text, as senders write the same key as text or as a number; for `number` what reads as one. */
export type AttributeTest =
  | TextTest
  | { readonly op: Comparison; readonly number: number }
  | { readonly op: "present" }
  | { readonly op: "absent" };

/** How a number is written, for `number` tests of texts. */
export const NUMBER_TEXT = "^-?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?$";
