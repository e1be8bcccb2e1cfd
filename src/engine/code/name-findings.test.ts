import { expect, test } from "vitest";
import type { Finding, Mechanism, Subject } from "../../model/report.ts";
import { sampleReport } from "../../testing/sample-report.ts";
import { spansFromRows } from "../../testing/spans-from-rows.ts";
import { stacksFromText } from "../../testing/stacks-from-text.ts";
import { buildWindow } from "../window.ts";
import { nameInFindings } from "./name-findings.ts";
import { matchProfiles, type ProfileInput } from "./service-profiles.ts";

const MS = 1e6;
const KINDS = { "(idle)": "idle", "(garbage collector)": "gc" } as const;

async function named(
  mechanism: Mechanism,
  picture: string,
  more: Partial<Finding> = {},
  subject: Partial<Subject> = {},
  others: readonly ProfileInput[] = [],
) {
  const samples = picture
    .trim()
    .split("\n")
    .flatMap((line) => {
      const [stack, times] = line.trim().split(" × ") as [string, string];
      return Array.from({ length: Number(times) }, () => stack.split(" then ").map((one) => `${one} ${MS}`)).flat();
    });
  const stacks = stacksFromText(samples.join("\n"), { type: "wall", isTimed: true, kinds: KINDS });
  const spans = spansFromRows([{ trace: 1, id: 1, parent: 0, startNs: 0, endNs: MS, service: "shop", name: "GET" }]);
  const window = await buildWindow(spans, async () => {});
  const { services } = matchProfiles(window, [{ source: "shop-0.cpuprofile", stacks }, ...others]);
  const [first] = sampleReport().findings;
  const finding: Finding = {
    ...first!,
    mechanism,
    severity: "warning",
    subject: { service: "shop", ...subject },
    ...more,
  };
  return nameInFindings([finding], services)[0]!;
}

const COLLECTING = `
  serve@/srv/shop.js:1;rank@/srv/rank.js:9 then (garbage collector) × 100
  serve@/srv/shop.js:1;get@/srv/node_modules/lib/index.js:38 then (garbage collector) × 150`;

test("collection by the program's own function in which most of it begins, not the library's", async () => {
  const found = await named("garbage-collection", COLLECTING);
  expect(found.subject.frame).toBe("rank (rank.js:9)");
  expect(found.chain.at(-1)!.claim).toMatch(
    /^collection takes 50 % of the busy time of shop; most often it begins in rank/,
  );
});

test("collection by what allocates, where that was sampled, whoever ran when it began", async () => {
  const allocations = (bytes: number): ProfileInput => ({
    source: "shop-1.pb",
    stacks: stacksFromText(
      `serve@/srv/shop.js:1;sign@/srv/sign.js:5 ${0.8 * bytes}\n serve@/srv/shop.js:1;rank@/srv/rank.js:9 ${0.2 * bytes}`,
      { type: "alloc_space", unit: "bytes" },
    ),
  });
  const found = await named("garbage-collection", COLLECTING, {}, {}, [allocations(5e7)]);
  expect(found.subject.frame).toBe("sign (sign.js:5)");
  expect(found.chain.at(-1)!.claim).toMatch(/; sign \(sign.js:5\) allocates 80 % of the bytes$/);
  const few = await named("garbage-collection", COLLECTING, {}, {}, [allocations(5e5)]);
  expect(few.subject.frame).toBe("rank (rank.js:9)");
});

test("a busy processor by the function that takes most of it", async () => {
  const busy = "serve@/srv/shop.js:1;sign@/srv/sign.js:5 × 300\n serve@/srv/shop.js:1 × 100";
  expect((await named("cpu-saturated", busy)).subject.frame).toBe("sign (sign.js:5)");
  expect((await named("slow-query", busy)).subject.frame).toBeUndefined();
  expect((await named("cpu-saturated", busy, { severity: "note" })).subject.frame).toBeUndefined();
  expect((await named("cpu-saturated", busy, {}, { setting: "cpu.max" })).subject.frame).toBeUndefined();
});

test("too few samples, or many small functions, name nobody", async () => {
  expect((await named("cpu-saturated", "sign@/srv/sign.js:5 × 99")).subject.frame).toBeUndefined();
  const many = Array.from({ length: 20 }, (_, i) => `step${i}@/srv/a.js:${i + 1} × 20`).join("\n");
  expect((await named("cpu-saturated", many)).subject.frame).toBeUndefined();
});
