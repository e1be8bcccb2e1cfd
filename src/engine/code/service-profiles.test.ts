import { expect, test } from "vitest";
import { mergeStackTables } from "../../model/merge-stack-tables.ts";
import { spansFromRows } from "../../testing/spans-from-rows.ts";
import { stacksFromText } from "../../testing/stacks-from-text.ts";
import { buildWindow } from "../window.ts";
import { matchProfiles } from "./service-profiles.ts";

const MS = 1e6;
const lines = (stack: string, times: number): string =>
  Array.from({ length: times }, () => `${stack} ${MS}`).join("\n");

const codeOf = async (...stacks: ReturnType<typeof stacksFromText>[]) => {
  const spans = spansFromRows([{ trace: 1, id: 1, parent: 0, startNs: 0, endNs: MS, service: "shop", name: "GET" }]);
  const window = await buildWindow(spans, async () => {});
  const inputs = stacks.map((one, i) => ({ source: `shop-${i}.pb`, stacks: one, service: "shop" }));
  return matchProfiles(window, inputs).services.get("shop")!;
};

/** As perf sees a runtime that compiles: functions without names or files. */
const outside = stacksFromText(lines("[jit]@[perf-7.map]:-1", 300), {
  kinds: { "[jit]": "jit" },
  durationNs: 1000 * MS,
});
const inside = stacksFromText(`${lines("sign@/srv/sign.js:5", 200)}\n${lines("(idle)", 200)}`, {
  type: "wall",
  kinds: { "(idle)": "idle" },
});

test("of two kinds of time the one whose functions have names, in two files or in one table", async () => {
  for (const code of [await codeOf(outside, inside), await codeOf(mergeStackTables([outside, inside]))]) {
    expect(code.valueType).toBe("wall");
    // What is of the other kind counts neither as work nor as a sample.
    expect([code.profile.busySamples, code.busyShare]).toEqual([200, 0.5]);
  }
});

test("processor time where both have names, and where neither has", async () => {
  const named = stacksFromText(lines("sign@/srv/sign.js:5", 300), { durationNs: 1000 * MS });
  expect((await codeOf(named, inside)).valueType).toBe("cpu");
  expect((await codeOf(outside)).valueType).toBe("cpu");
});
