import { expect, test } from "vitest";
import { stacksFromText } from "../../testing/stacks-from-text.ts";
import { spansFromRows } from "../../testing/spans-from-rows.ts";
import { buildWindow } from "../window.ts";
import { codeCauses } from "./code-causes.ts";
import { changeSince } from "./code-change.ts";
import { matchProfiles, type ServiceCode } from "./service-profiles.ts";

const MS = 1e6;

/** A second of a thread, a sample each millisecond: those of `parse`, other work (400) and idling. */
async function code(parse: number, line = 42): Promise<ServiceCode> {
  const samples = [
    ...Array.from({ length: parse }, () => `serve@a.ts:1;parse@a.ts:${line} ${MS}`),
    ...Array.from({ length: 400 }, (_, i) => `serve@a.ts:1;step${i % 20}@a.ts:${100 + (i % 20)} ${MS}`),
    ...Array.from({ length: 600 - parse }, () => `(idle) ${MS}`),
  ].join("\n");
  const stacks = stacksFromText(samples, { type: "wall", kinds: { "(idle)": "idle" } });
  const spans = spansFromRows([{ trace: 1, id: 1, parent: 0, startNs: 0, endNs: MS, service: "shop", name: "GET" }]);
  const window = await buildWindow(spans, async () => {});
  return matchProfiles(window, [{ source: "shop-0.cpuprofile", stacks }]).services.get("shop")!;
}

const change = async (before: ServiceCode | undefined, now: ServiceCode) =>
  changeSince(
    before,
    now,
    codeCauses(now).find(({ frame }) => frame.startsWith("parse"))!,
  );

test("a function that takes 30 % of the thread's time after 5 % has grown, also where its line has moved", async () => {
  const found = await change(await code(50, 40), await code(300));
  expect(found!.hasGrown).toBe(true);
  expect(found!.evidence.text).toBe(
    "in the baseline 5 % of the thread's time (1,000 samples), now 30 %: more than chance explains",
  );
});

test("30 % after 28 % is what chance does; 20 % after 30 % is less", async () => {
  expect((await change(await code(280), await code(300)))!.evidence.text).toMatch(/no more than chance explains$/);
  const less = await change(await code(300), await code(200));
  expect(less).toMatchObject({ hasGrown: false });
  expect(less!.evidence.text).toMatch(/no more than before$/);
});

test("one that was not there has grown from nothing; without a profile of then nothing is said", async () => {
  expect((await change(await code(0), await code(300)))!.evidence.text).toMatch(/^in the baseline 0 %/);
  expect(await change(undefined, await code(300))).toBeUndefined();
});
