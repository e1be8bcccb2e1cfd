import { describe, expect, test } from "vitest";
import { StackTableBuilder } from "../../model/stack-table-builder.ts";
import { FrameKind, SPAN_LABEL, TRACE_LABEL, type StackTable } from "../../model/stack-table.ts";
import { SpanKind, spanIdHex, traceIdHex, type SpanTable } from "../../model/span-table.ts";
import { spansFromRows, type SpanRow } from "../../testing/spans-from-rows.ts";
import { buildWindow } from "../window.ts";
import { viewEndpoint } from "../endpoint-view.ts";
import { codeAtEndpoint, type EndpointCode } from "./endpoint-code.ts";
import { matchProfiles } from "./service-profiles.ts";
import { diagnose } from "../diagnose.ts";

const MS = 1e6;

/** Every 10 ms a request, /search and /pay by turns, each of 8 ms; and every hundredth is a /ping of 1 ms. */
function spans(): SpanTable {
  const rows: SpanRow[] = [];
  for (let i = 1; i <= 600; i++) {
    const name = i % 100 === 0 ? "GET /ping" : i % 2 === 0 ? "GET /search" : "POST /pay";
    const startNs = i * 10 * MS;
    const endNs = startNs + (name === "GET /ping" ? 1 : 8) * MS;
    rows.push({ trace: i, id: 1, parent: 0, startNs, endNs, kind: SpanKind.server, service: "shop", name });
  }
  return spansFromRows(rows);
}

/**
 * A sample of 1 ms in the middle of each request: /search ranks 222 times of 294, and parses; /pay signs; /ping parses.
 * 98 more are of a batch that a /search began and that runs behind its end; and idle ones up to `busyShare`.
 */
function profile(table: SpanTable, busyShare: number, isLinked = true): StackTable {
  const into = new StackTableBuilder();
  const text = (value: string): number => into.strings.intern(value);
  const wall = into.valueType("wall", "nanoseconds");
  const thread = into.thread(
    into.process({ service: text("shop"), startUnixNs: table.baseUnixNs, durationNs: 6000 * MS }),
  );
  const frame = (name: string, kind: FrameKind = FrameKind.user): number =>
    into.frame(text(name), text("shop.ts"), 7, kind);
  const add = (row: number, name: string, atNs: number): void => {
    const labels = [
      { key: text(TRACE_LABEL), value: text(traceIdHex(table, row)), isText: true },
      { key: text(SPAN_LABEL), value: text(spanIdHex(table, row)), isText: true },
    ];
    const set = isLinked ? into.labelSet(labels) : 0;
    into.setValue(into.sample(into.stack(-1, frame(name)), thread, atNs, set), wall, MS);
  };
  let busy = 0;
  for (let row = 0; row < table.rowCount; row++) {
    const name = table.strings.get(table.name[row]!);
    const at = table.startOffsetNs[row]! + 4 * MS;
    if (name === "GET /search") add(row, row % 8 < 6 ? "rank" : "parse", at);
    else if (name === "POST /pay") add(row, "sign", at);
    else add(row, "parse", table.startOffsetNs[row]! + 0.5 * MS);
    busy++;
    if (name === "GET /search" && row % 3 === 0) {
      add(row, "sendBatch", table.startOffsetNs[row]! + 9.5 * MS);
      busy++;
    }
  }
  const idle = into.frame(text("(idle)"), 0, -1, FrameKind.idle);
  into.setValue(into.sample(into.stack(-1, idle), thread), wall, (busy / busyShare - busy) * MS);
  return into.finish();
}

async function causesAt(operation: string, busyShare: number, isLinked = true): Promise<EndpointCode> {
  const table = spans();
  const window = await buildWindow(table, async () => {});
  const stacks = profile(table, busyShare, isLinked);
  const code = matchProfiles(window, [{ source: "p.pb", stacks }]).services.get("shop")!;
  const index = window.endpoints.findIndex((endpoint) => window.text(endpoint.operation) === operation);
  return codeAtEndpoint(window, code, viewEndpoint(window, index));
}

const told = ({ causes }: EndpointCode): string[] =>
  causes.map(({ frame, share }) => `${frame.replace(/ .*/, "")} ${share.toFixed(2)}`);

describe("with links", () => {
  test("an endpoint's functions are those within its spans, without what runs behind their end", async () => {
    // 222 of 294; the batch is in none.
    const search = await causesAt("GET /search", 0.9);
    expect(told(search)[0]).toBe("rank 0.76");
    expect(told(search).join()).not.toMatch(/sign|sendBatch/);
    expect(told(await causesAt("POST /pay", 0.9))).toEqual(["sign 1.00"]);
    expect(search.causes[0]!.title).toContain("of the busy time of shop within GET /search");
    expect(search.causes[0]!.evidence.text).toMatch(
      /tied to its spans by span id, as \d+ % of the service's samples are/,
    );
  });

  test("without it, its own work shrinks by its share of the endpoint, and the queue by its share of all", async () => {
    const at = await causesAt("POST /pay", 0.9);
    const { ofWork, ofQueue } = at.shareGone(at.causes[0]!);
    expect(ofWork).toBe(1);
    // 300 of 600 requests and 98 batches.
    expect(ofQueue).toBeCloseTo(300 / 698, 9);
  });

  test("an endpoint that hardly works waits for the others where the thread is busy, and for nobody where it is not", async () => {
    const busy = await causesAt("GET /ping", 0.9);
    expect(told(busy)[0]).toMatch(/^sign/);
    expect(busy.shareGone(busy.causes[0]!).ofWork).toBe(0);
    expect(busy.counter[0]).toMatch(/of \d+ samples that carry a span's id 6 are within this endpoint/);
    expect(told(await causesAt("GET /ping", 0.3))).toEqual([]);
  });

  test("the findings of each endpoint name its own function", async () => {
    const table = spans();
    const { findings } = await diagnose({ spans: table, profiles: [{ source: "p.pb", stacks: profile(table, 0.9) }] });
    const pairs = findings
      .filter(({ subject }) => subject.frame !== undefined)
      .map(({ impact, subject }) => `${impact.endpoint.operation} ${subject.frame!.replace(/ .*/, "")}`);
    expect(pairs).toContain("POST /pay sign");
    expect(pairs).toContain("GET /search rank");
    expect(pairs).not.toContain("POST /pay rank");
    expect(pairs).not.toContain("GET /search sign");
  });
});

test("without links the whole profile stands for each endpoint", async () => {
  const pay = await causesAt("POST /pay", 0.9, false);
  expect(told(pay)).toEqual(told(await causesAt("GET /search", 0.9, false)));
  expect(pay.shareGone(pay.causes[0]!)).toEqual({ ofWork: pay.causes[0]!.share, ofQueue: pay.causes[0]!.share });
  expect(pay.causes[0]!.evidence.text).not.toContain("span id");
});
