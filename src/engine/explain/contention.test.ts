import { expect, test } from "vitest";
import { Random } from "../../analysis/random.ts";
import type { Finding } from "../../model/report.ts";
import { SpanKind } from "../../model/span-table.ts";
import { spansFromRows, type SpanRow } from "../../testing/spans-from-rows.ts";
import { diagnose } from "../diagnose.ts";

const MS = 1e6;
const WORK_MS = 10;

/** 900 requests at random that derive a key of 10 ms each in one of `places`, each kept busy for `share` of the time. */
async function derive(places: number, share: number): Promise<readonly Finding[]> {
  const random = new Random(5);
  const free = Array.from({ length: places }, () => 0);
  const rows: SpanRow[] = [];
  let now = 0;
  for (let trace = 1; trace <= 900; trace++) {
    now += (-Math.log(1 - random.uniform()) * WORK_MS) / (places * share);
    const first = free.indexOf(Math.min(...free));
    const keyed = Math.max(now + 1, free[first]!) + WORK_MS;
    free[first] = keyed;
    const span = (id: number, name: string, from: number, to: number, kind: number = SpanKind.internal): SpanRow => ({
      trace,
      id,
      parent: id === 1 ? 0 : 1,
      startNs: Math.round(from * MS),
      endNs: Math.round(to * MS),
      kind,
      service: "vault",
      name,
    });
    rows.push(
      span(1, "POST /keys", now, keyed + 1.6, SpanKind.server),
      span(2, "read", now + 0.1, now + 0.9),
      span(3, "derive", now + 1, keyed),
      span(4, "write", keyed + 0.2, keyed + 1.2 + 0.2 * random.uniform()),
    );
  }
  const { findings } = await diagnose({ spans: spansFromRows(rows) });
  return findings;
}

const isLock = ({ mechanism, subject }: Finding): boolean =>
  mechanism === "lock-contention" && subject.operation === "derive";

test("one at a time, in use for 0.6 of the time: each waits 1 / (1 - 0.6) * 0.6 / 2 of the work, which is told", async () => {
  const [first] = await derive(1, 0.6);
  expect(first).toMatchObject({ mechanism: "lock-contention", subject: { service: "vault", operation: "derive" } });
  expect(first!.severity).not.toBe("note");
});

test("two at a time with as short a queue: others of its kind cost less than it does itself, and it is a note", async () => {
  const findings = await derive(2, 0.75);
  expect(findings.filter((finding) => isLock(finding) && finding.severity !== "note")).toEqual([]);
});
