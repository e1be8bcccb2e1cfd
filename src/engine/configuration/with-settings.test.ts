import { expect, test } from "vitest";
import { SpanTableBuilder } from "../../model/span-table-builder.ts";
import type { Finding } from "../../model/report.ts";
import { SpanKind } from "../../model/span-table.ts";
import { sampleReport } from "../../testing/sample-report.ts";
import { spansFromRows } from "../../testing/spans-from-rows.ts";
import { viewEndpoint } from "../endpoint-view.ts";
import type { Predict } from "../prediction.ts";
import { buildWindow } from "../window.ts";
import type { SettingProblem } from "./configuration-check.ts";
import { withSettings } from "./with-settings.ts";

const window = await buildWindow(new SpanTableBuilder().finish().table, async () => {});
const never: Predict = () => {
  throw new Error("nothing to replay");
};
const join = (findings: readonly Finding[], ...problems: readonly SettingProblem[]): Finding[] =>
  withSettings(findings, problems, window, [], never);

const problem: SettingProblem = {
  service: "orders",
  resource: "pool:shop",
  setting: "pool.max",
  change: "pool.max: 2 -> 5",
  mechanism: "pool-exhausted",
  saidAs: new Set(["load-increase"]),
  followsFrom: new Set(["missing-index"]),
  alsoSaidOf: ["shop"],
  arithmetic: "10/s × 180 ms = 1.8",
  title: "the pool is too small",
  remedy: "Let it have 5.",
  reference: "Little's law",
  query: "rate × time",
  refutedBy: "some are free",
  confidence: 0.8,
  harm: { text: "half of them wait" },
};
const [first] = sampleReport().findings;
const about = (more: Partial<Finding>): Finding => ({
  ...first!,
  mechanism: "pool-exhausted",
  severity: "warning",
  subject: { service: "orders", resource: "pool:shop" },
  ...more,
});

test("a finding that says the same gets the setting, the change and the sum: one finding, not two", () => {
  const [joined, ...others] = join([about({})], problem);
  expect(others).toEqual([]);
  expect(joined).toMatchObject({
    subject: { setting: "pool.max" },
    remedy: { change: "pool.max: 2 -> 5" },
    severity: "warning",
  });
  expect(joined!.evidence.at(-1)).toMatchObject({ kind: "setting", text: "10/s × 180 ms = 1.8 (Little's law)" });
  expect(joined!.chain.at(-1)!.evidence).toEqual([joined!.evidence.length - 1]);
});

test("a problem that no finding tells is one of its own: a warning with harm, a note without, and takes the place of a note", () => {
  const elsewhere = about({ subject: { service: "orders", resource: "pool:other" } });
  expect(join([elsewhere], problem)).toMatchObject([{ subject: { resource: "pool:other" } }, { kind: "config" }]);
  expect(join([about({ severity: "note" })], problem)).toMatchObject([
    { kind: "config", severity: "warning", rank: 1 },
  ]);
  const { harm: _, ...harmless } = problem;
  expect(join([], harmless)).toMatchObject([{ kind: "config", severity: "note" }]);
});

test("one setting of two servers with a database of one name is two findings", () => {
  const { harm: _, ...note } = problem;
  const on = (server: string): SettingProblem => ({
    ...note,
    service: "shop",
    mechanism: "misconfiguration",
    setting: "shared_buffers",
    server,
    resource: `database on ${server}`,
  });
  const both = join([], on("db1:5432"), on("db2:5432"));
  expect(both.map(({ subject }) => subject.resource)).toEqual(["database on db1:5432", "database on db2:5432"]);
  expect(new Set(both.map(({ id }) => id)).size).toBe(2);
  expect(join([], on("db1:5432"), on("db1:5432"))).toHaveLength(1);
});

test("a setting without an exact change is told in words, after what the finding says", () => {
  const { change: _, harm: __, ...unknown } = problem;
  const finding = about({ remedy: { text: "Wait less." } });
  expect(join([finding], { ...unknown, remedy: "More of it." })[0]!.remedy).toEqual({ text: "Wait less. More of it." });
  expect(join([finding], problem)[0]!.remedy).toEqual({ text: "Wait less.", change: problem.change });
});

test("growth tells when the limit is reached in the text of the leak, and names no setting for it", () => {
  const leak = about({
    mechanism: "memory-leak",
    why: "It grows.",
    subject: { service: "orders", resource: "memory" },
  });
  const growth: SettingProblem = {
    ...problem,
    kind: "growth",
    resource: "memory",
    setting: "memory limit",
    mechanism: "memory-leak",
    arithmetic: "it reaches the limit of 512 MB in 41 min (30 min–60 min)",
  };
  const [joined, ...others] = join([leak], growth);
  expect(others).toEqual([]);
  expect(joined!.why).toBe("It grows. It reaches the limit of 512 MB in 41 min (30 min–60 min).");
  expect(joined!.subject).toEqual({ service: "orders", resource: "memory" });
});

test("a used-up resource of a service that no request spends time in is a note", async () => {
  const { harm, ...rest } = problem;
  const rows = (service: string) =>
    Array.from({ length: 10 }, (_, i) => ({
      trace: i + 1,
      id: 1,
      parent: 0,
      kind: SpanKind.server,
      service,
      startNs: i * 1e9,
      endNs: i * 1e9 + 5e6,
    }));
  const severityAt = async (service: string): Promise<string> => {
    const at = await buildWindow(spansFromRows(rows(service)), async () => {});
    const views = at.endpoints.map((_, i) => viewEndpoint(at, i));
    return withSettings([], [{ ...rest, harm: { text: harm!.text } }], at, views, never)[0]!.severity;
  };
  expect([await severityAt("orders"), await severityAt("elsewhere")]).toEqual(["warning", "note"]);
});

test("what follows from another cause that is told is a note", () => {
  const cause = about({
    mechanism: "missing-index",
    severity: "critical",
    subject: { service: "shop", statement: "SELECT" },
  });
  expect(join([cause], problem).map(({ severity }) => severity)).toEqual(["critical", "note"]);
});

test("a setting of one table says nothing of statements about another", () => {
  const ofTable: SettingProblem = { ...problem, table: "public.rollups", mechanism: "slow-query", resource: "" };
  const statement = (text: string): Finding =>
    about({ mechanism: "slow-query", subject: { service: "orders", statement: text } });
  const settingsOf = (text: string): (string | undefined)[] =>
    join([statement(text)], ofTable).map(({ subject }) => subject.setting);
  expect(settingsOf("SELECT n FROM rollups WHERE day = ?")).toEqual(["pool.max"]);
  expect(settingsOf('SELECT n FROM "Rollups" WHERE day = ?')).toEqual(["pool.max"]);
  expect(settingsOf("SELECT name FROM records")).toEqual([undefined, "pool.max"]);
  expect(settingsOf("SELECT n FROM rollups_old")).toEqual([undefined, "pool.max"]);
});
