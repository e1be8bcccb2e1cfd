import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ActiveSpan, type OtelContext, type OtelContextManager } from "./active-span.ts";
import { SpanSwitches, type SpanIds } from "./span-switches.ts";

const API = Symbol.for("opentelemetry.js.api.1");
const SPAN_KEY = Symbol.for("OpenTelemetry Context Key SPAN");
const world = globalThis as Record<symbol, unknown>;

/** A context of OpenTelemetry around a span, and a manager as its SDK for Node has one. */
const contextOf = (name: string): OtelContext => {
  const ids: SpanIds = { traceId: name.repeat(32), spanId: name.repeat(16) };
  const span = { spanContext: () => ids };
  const context: OtelContext = { getValue: (key) => (key === SPAN_KEY ? span : undefined), setValue: () => context };
  return context;
};
const NONE: OtelContext = { getValue: () => undefined, setValue: () => NONE };

let storage: AsyncLocalStorage<OtelContext>;
let manager: OtelContextManager;
let switches: SpanSwitches;
let active: ActiveSpan;
beforeEach(() => {
  storage = new AsyncLocalStorage();
  manager = {
    active: () => storage.getStore() ?? NONE,
    with: (context, fn, thisArg, ...args) => storage.run(context, () => fn.apply(thisArg, args)),
  };
  world[API] = { context: manager };
  switches = new SpanSwitches();
});
afterEach(() => {
  active.detach();
  delete world[API];
});

const now = (): string => switches.active?.spanId.slice(0, 1) ?? "-";

describe("async", () => {
  beforeEach(() => {
    active = new ActiveSpan(switches, "async");
    active.attach();
  });

  test("after each await and in each callback the span is that of the flow, however flows mix", async () => {
    const seen: Record<string, string> = { a: "", b: "", c: "" };
    const flow = async (name: string): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        seen[name] += now();
        if (i % 3 === 0) await sleep(1);
        else if (i % 3 === 1) await nextTurn();
        else await new Promise<void>((resolve) => process.nextTick(resolve));
      }
    };
    await Promise.all(["a", "b", "c"].map((name) => manager.with(contextOf(name), () => flow(name)) as Promise<void>));
    expect(seen).toEqual({ a: "a".repeat(20), b: "b".repeat(20), c: "c".repeat(20) });
  });

  test("behind a callback within a callback the outer one's span is back", async () => {
    const resource = manager.with(contextOf("b"), () => new AsyncResource("test")) as AsyncResource;
    const seen: string[] = [];
    await (manager.with(contextOf("a"), async () => {
      await nextTurn();
      seen.push(now());
      resource.runInAsyncScope(() => seen.push(now()));
      seen.push(now());
      manager.with(contextOf("c"), () => seen.push(now()));
      seen.push(now());
    }) as Promise<void>);
    expect(seen.join("")).toBe("abaca");
  });

  test("a callback of nobody's has no span", async () => {
    const seen: string[] = [];
    const done = new Promise<void>((resolve) => setTimeout(() => resolve(void seen.push(now())), 5));
    await (manager.with(contextOf("a"), () => nextTurn()) as Promise<void>);
    await done;
    expect(seen).toEqual(["-"]);
  });
});

test("sync: within context.with, also where it throws, and nowhere else", async () => {
  active = new ActiveSpan(switches, "sync");
  active.attach();
  const seen: string[] = [];
  await (manager.with(contextOf("a"), async () => {
    seen.push(now());
    expect(() =>
      manager.with(contextOf("b"), () => {
        seen.push(now());
        throw new Error("x");
      }),
    ).toThrow("x");
    seen.push(now());
    await nextTurn();
    seen.push(now());
  }) as Promise<void>);
  expect(seen.join("")).toBe("aba-");
});

test("a manager that is registered late or anew is found, and is as before when the hook goes", () => {
  delete world[API];
  active = new ActiveSpan(switches, "sync");
  active.attach();
  const original = manager.with;
  world[API] = { context: manager };
  active.attach();
  expect(manager.with).not.toBe(original);
  active.detach();
  expect(manager.with).toBe(original);
});
