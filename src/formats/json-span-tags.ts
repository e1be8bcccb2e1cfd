import { type AttributeSink, AttributeType } from "../model/attribute-table.ts";
import type { SpanTableBuilder } from "../model/span-table-builder.ts";
import { SpanKind, SpanStatus } from "../model/span-table.ts";

/** Whether an `error` tag of any text marks an error (Zipkin), or only true (Jaeger). */
export type ErrorTagRule = "any-text" | "only-true";

/**
 * Tags of a Jaeger or Zipkin span: those that stand for a field of OpenTelemetry's
 * span go into its column, the others become attributes. The names are those of
 * OpenTelemetry's specification of the mapping to Jaeger and Zipkin.
 */
export class SpanTags implements AttributeSink {
  private readonly into: SpanTableBuilder;
  private readonly errorRule: ErrorTagRule;
  private readonly ids: Readonly<
    Record<"kind" | "error" | "statusCode" | "scope" | "library" | "traceState" | "format" | "yes" | "no", number>
  >;
  private hasError = false;
  private explicitStatus = 0;

  constructor(into: SpanTableBuilder, errorRule: ErrorTagRule) {
    this.into = into;
    this.errorRule = errorRule;
    const id = (text: string): number => into.strings.intern(text);
    this.ids = {
      kind: id("span.kind"),
      error: id("error"),
      statusCode: id("otel.status_code"),
      scope: id("otel.scope.name"),
      library: id("otel.library.name"),
      traceState: id("w3c.tracestate"),
      format: id("internal.span.format"),
      yes: id("true"),
      no: id("false"),
    };
  }

  beginSpan(): void {
    this.hasError = false;
    this.explicitStatus = 0;
  }

  add(key: number, type: AttributeType, value: number): void {
    if (!this.isField(key, type, value)) this.into.attributes.add(key, type, value);
  }

  /** Sets the open span's status: what `otel.status_code` says, else what `error` says. */
  endSpan(): void {
    const status = this.hasError ? SpanStatus.error : SpanStatus.unset;
    this.into.status[this.into.open] = this.explicitStatus === 0 ? status : this.explicitStatus;
  }

  /** Whether the tag has gone into a column, and is no attribute besides. */
  private isField(key: number, type: AttributeType, value: number): boolean {
    const { into, ids } = this;
    const row = into.open;
    switch (key) {
      case ids.error:
        return this.isPlainError(type, value);
      case ids.format:
        return true;
      case ids.kind:
      case ids.statusCode:
      case ids.scope:
      case ids.library:
      case ids.traceState:
        break;
      default:
        return false;
    }
    if (type !== AttributeType.string) return false;
    if (key === ids.scope || key === ids.library) into.scope[row] = value;
    else if (key === ids.traceState) into.traceState[row] = value;
    else {
      const names = key === ids.kind ? KIND_BY_NAME : STATUS_BY_NAME;
      const number = names.get(into.strings.get(value).toLowerCase());
      if (number === undefined) return false;
      if (key === ids.kind) into.kind[row] = number;
      else this.explicitStatus = number;
    }
    return true;
  }

  /** An error tag that says no more than yes or no is only the status; a message stays an attribute. */
  private isPlainError(type: AttributeType, value: number): boolean {
    const { ids } = this;
    if (type === AttributeType.boolean) {
      this.hasError ||= value === 1;
      return true;
    }
    const isNo = type === AttributeType.string && value === ids.no;
    const isYes = type === AttributeType.string && value === ids.yes;
    this.hasError ||= isYes || (this.errorRule === "any-text" && !isNo);
    return isYes || isNo;
  }
}

const KIND_BY_NAME: ReadonlyMap<string, number> = new Map([
  ["internal", SpanKind.internal],
  ["server", SpanKind.server],
  ["client", SpanKind.client],
  ["producer", SpanKind.producer],
  ["consumer", SpanKind.consumer],
]);
const STATUS_BY_NAME: ReadonlyMap<string, number> = new Map([
  ["unset", SpanStatus.unset],
  ["ok", SpanStatus.ok],
  ["error", SpanStatus.error],
]);
