import { createHook, type AsyncHook } from "node:async_hooks";
import type { SpanIds, SpanSwitches } from "./span-switches.ts";

/*
 * OpenTelemetry's API is looked up and not imported: it keeps what the process registered under a symbol of the global
 * object, whichever copy of it the process has loaded.
 */

/** A context of OpenTelemetry; its keys are symbols of the global registry. */
export interface OtelContext {
  getValue(key: symbol): unknown;
  setValue(key: symbol, value: unknown): OtelContext;
}

export interface OtelContextManager {
  active(): OtelContext;
  with(context: OtelContext, fn: (...args: unknown[]) => unknown, thisArg?: unknown, ...args: unknown[]): unknown;
}

interface OtelSpan {
  spanContext(): SpanIds;
  readonly resource?: {
    readonly attributes?: Readonly<Record<string, unknown>>;
    /** some are still being asked for; who reads them by then makes the SDK complain */
    readonly asyncAttributesPending?: boolean;
  };
}

const API = Symbol.for("opentelemetry.js.api.1");
const SPAN_KEY = Symbol.for("OpenTelemetry Context Key SPAN");
const SUPPRESS_KEY = Symbol.for("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

/** What the process registered as its manager of contexts, if it did. */
export function contextManager(): OtelContextManager | undefined {
  const api = (globalThis as Readonly<Record<symbol, { readonly context?: OtelContextManager } | undefined>>)[API];
  return api?.context;
}

/** Runs `fn` so that what it calls makes no spans. */
export function withoutSpans(fn: () => void): void {
  const manager = contextManager();
  if (manager === undefined) fn();
  else manager.with(manager.active().setValue(SUPPRESS_KEY, true), fn);
}

/** Microseconds of the clock that V8 stamps its samples with. */
export function hrtimeUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1e3;
}

/**
 * Keeps `switches` up to date with the active span. "sync": what `context.with` calls, until it returns. "async": the callbacks
 * and continuations that follow from it, too, by hooks of Node around each of them.
 *
 * Hooks run around every callback and every step behind an `await`: they compare one object, and read the clock only where
 * it is another. So nothing is noted when a callback ends: until the next one begins no JavaScript runs.
 * bench/node-hook.ts has what it costs.
 */
export class ActiveSpan {
  /** attributes of the resource that the process's own SDK gives its spans */
  resource: Readonly<Record<string, unknown>> | undefined;
  private readonly switches: SpanSwitches;
  private readonly hook: AsyncHook | undefined;
  private manager: OtelContextManager | undefined;
  private unwrap: () => void = () => {};
  private context: OtelContext | undefined;
  private span: OtelSpan | undefined;
  private ids: SpanIds | undefined;
  /** callbacks within callbacks, by `runInAsyncScope`: what comes behind the inner one is the outer's again */
  private depth = 0;
  private readonly outer: (OtelContext | undefined)[] = [];

  constructor(switches: SpanSwitches, links: "async" | "sync") {
    this.switches = switches;
    if (links === "sync") return;
    // What throws in a hook ends the process: these do nothing but look up.
    this.hook = createHook({
      before: () => {
        if (++this.depth > 1) this.outer.push(this.context);
        if (this.manager !== undefined) this.enter(this.manager.active());
      },
      after: () => {
        if (--this.depth > 0) this.enter(this.outer.pop());
        // Hooks that begin within a callback see its end alone.
        else if (this.depth < 0) this.depth = 0;
      },
    });
  }

  /** To be called now and then: the process may register its manager late, and another one later. */
  attach(): void {
    const manager = contextManager();
    if (manager === this.manager) return;
    this.detach();
    if (manager === undefined) return;
    this.manager = manager;
    const original = manager.with;
    const wrapped: OtelContextManager["with"] = (context, fn, thisArg, ...args) => {
      const before = this.context;
      this.enter(context);
      try {
        return original.call(manager, context, fn, thisArg, ...args);
      } finally {
        this.enter(before);
      }
    };
    manager.with = wrapped;
    this.unwrap = () => {
      // Another wrapper above this one has to stay.
      if (manager.with === wrapped) manager.with = original;
    };
    this.hook?.enable();
  }

  detach(): void {
    this.hook?.disable();
    this.unwrap();
    this.unwrap = () => {};
    this.manager = undefined;
  }

  private enter(context: OtelContext | undefined): void {
    if (context === this.context) return;
    this.context = context;
    const ids = context === undefined ? undefined : this.idsOf(context);
    if (ids !== this.switches.active) this.switches.note(ids, hrtimeUs());
  }

  private idsOf(context: OtelContext): SpanIds | undefined {
    const span = context.getValue(SPAN_KEY) as OtelSpan | undefined;
    if (span === undefined) return undefined;
    if (span === this.span) return this.ids;
    this.span = span;
    this.ids = span.spanContext();
    if (this.resource === undefined && span.resource?.asyncAttributesPending !== true)
      this.resource = span.resource?.attributes;
    return this.ids;
  }
}
