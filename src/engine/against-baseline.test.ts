import { describe, expect, test } from "vitest";
import { SpanKind, type SpanTable } from "../model/span-table.ts";
import { diagnose } from "./diagnose.ts";
import { takeRows } from "../model/take-rows.ts";
import { traceFromText } from "../testing/trace-from-text.ts";
import type { Finding } from "../model/report.ts";

/** One column is a millisecond; the same trace 60 times over, a second apart, `pictures` taking turns. */
function drawn(...pictures: readonly string[]): SpanTable {
  const table = traceFromText(Array.from({ length: 60 }, (_, i) => pictures[i % pictures.length]!).join("\n\n"), {
    unitNs: 1e6,
  });
  const first = new Map<number, number>();
  const seconds = Array.from({ length: table.rowCount }, (_, row) => {
    const trace = table.traceId[4 * row + 3]!;
    if (!first.has(trace)) first.set(trace, first.size);
    return first.get(trace)! * 1e9;
  });
  return {
    ...table,
    startOffsetNs: table.startOffsetNs.map((at, row) => at + seconds[row]!),
    endOffsetNs: table.endOffsetNs.map((at, row) => at + seconds[row]!),
  };
}

/** The same without some rows. */
function without(table: SpanTable, dropped: (row: number) => boolean): SpanTable {
  return takeRows(
    table,
    Int32Array.from({ length: table.rowCount }, (_, row) => row).filter((row) => !dropped(row)),
  );
}

async function findings(now: SpanTable, before: SpanTable): Promise<string[]> {
  const report = await diagnose({ spans: now, baseline: before });
  return report.findings
    .filter((finding: Finding) => finding.severity !== "note")
    .map(({ mechanism, subject }) => `${mechanism} ${subject.service}`);
}

const QUERY = "client db.system.name=postgresql db.namespace=main db.query.text=";

describe("a statement in the place of another", () => {
  const sending = (statement: string, bars: string): string => `
    shop GET /overview |${"-".repeat(60)}| server
      shop SELECT       ${bars} ${QUERY}"${statement}"`;
  const before = drawn(sending("SELECT total FROM summary WHERE account = $1", "|-|"));

  test("that takes long is told, with the database as its place", async () => {
    const now = drawn(sending("SELECT kind, count(*) FROM history GROUP BY kind", `|${"-".repeat(40)}|`));
    expect(await findings(now, before)).toEqual(["slow-query main"]);
  });

  test("that takes no longer is not worth a word", async () => {
    const now = drawn(sending("SELECT total, place FROM summary WHERE account = $1", "|-|"));
    expect(await findings(now, before)).toEqual([]);
  });
});

describe("calls of an operation that made none", () => {
  const root = `
    shop GET /account |${"-".repeat(60)}| server`;
  const query = `
      shop SELECT       |${"-".repeat(20)}|                       ${QUERY}"SELECT name FROM accounts WHERE id = $1"`;
  const partner = `
      shop GET                                 |${"-".repeat(25)}| client server.address=partner`;

  test("are those of a cache that is gone where it makes several now", async () => {
    const [now, before] = [drawn(root + query + partner), drawn(root.replace("-".repeat(55), "--"))];
    // One cache, one finding, whose call takes the most time; what it saves is both.
    expect(await findings(now, before)).toEqual(["cache-miss shop"]);
    const [first] = (await diagnose({ spans: now, baseline: before })).findings;
    expect(first!.subject).toMatchObject({ service: "shop", operation: "GET" });
    expect(first!.chain.at(-1)!.claim).toContain("SELECT name FROM accounts");
    for (const link of first!.chain) for (const at of link.evidence) expect(first!.evidence[at]).toBeDefined();
    expect(first!.impact.now).toBeGreaterThan(0);
    expect(first!.impact.predicted).toBeLessThan((first!.impact.now * (61 - 20 - 25)) / 61);
  });
});

describe("a call that is made no more", () => {
  const three = `
    shop POST /order |------------------------------| server
      shop reserve     |--|                            client
      shop count           |--|                        client
      shop commit              |--|                    client`;

  test("while those that used to follow it still are: nothing broke off", async () => {
    const now = drawn(
      three,
      `
    shop POST /order |------------------------------| server
      shop reserve     |--|                            client
      shop commit              |--|                    client`,
    );
    expect(await findings(now, drawn(three))).toEqual([]);
  });

  test("nor any of those that used to follow it: it broke off before it", async () => {
    const now = drawn(
      three,
      `
    shop POST /order |------------------------------| server
      shop reserve     |--|                            client`,
    );
    expect(await findings(now, drawn(three))).toEqual(["error-handling shop"]);
  });
});

describe("a callee that is known by its address only", () => {
  const call = (address: string, bars: string): string => `
    shop GET /status |${"-".repeat(60)}| server
      shop GET         ${bars} client server.address=${address} server.port=4000`;

  test("is the same at another address when it can be no other", async () => {
    const before = drawn(call("10.0.0.7", "|-|"), call("10.0.0.7", "|--|"));
    const now = drawn(call("10.0.0.9", `|${"-".repeat(30)}|`), call("10.0.0.9", `|${"-".repeat(35)}|`));
    expect(await findings(now, before)).toEqual(["external-dependency 10.0.0.9"]);
  });
});

describe("failed calls that are made again", () => {
  const healthy = `
    shop GET /status |${"-".repeat(12)}| server
      shop GET         |--| client server.address=partner`;

  test("are a timeout of the caller where the failed attempts were waited out", async () => {
    const waited = `
    shop GET /status |${"-".repeat(150)}| server
      shop GET         |${"-".repeat(99)}|  client server.address=partner error
      shop GET          ${" ".repeat(101)}|--| client server.address=partner`;
    expect(await findings(drawn(healthy, waited), drawn(healthy))).toEqual(["timeout shop"]);
  });

  test("are retries where they fail at once and the pauses between them cost the time", async () => {
    const repeated = `
    shop GET /status |${"-".repeat(60)}| server
      shop GET         |--|                    client server.address=partner error
      shop GET                        |--|     client server.address=partner error
      shop GET                                        |--|     client server.address=partner`;
    expect(await findings(drawn(healthy, repeated), drawn(healthy))).toEqual(["retries shop"]);
  });
});

describe("calls in error", () => {
  const asked = (status: string, of = ""): string => `
    shop GET /item |${"-".repeat(10)}| server
      shop GET      |------| client ${status}
        stock GET     |--|   server ${of}`;
  const ok = asked("http.response.status_code=200");

  test("with an answer that says no are no failures", async () => {
    expect(await findings(drawn(ok, asked("http.response.status_code=404 error")), drawn(ok))).toEqual([]);
  });

  test("whose callee failed are", async () => {
    const failed = asked("http.response.status_code=500 error", "error");
    expect(await findings(drawn(ok, failed), drawn(ok))).toEqual(["error-handling stock"]);
  });
});

describe("messages", () => {
  const sent = (waited: number): string => `
    shop POST /order |${"-".repeat(10)}| server
      shop send       |--| producer messaging.system=kafka messaging.destination.name=orders
        bill process  ${" ".repeat(3 + waited)}|--| consumer messaging.system=kafka messaging.destination.name=orders`;

  test("that wait in a queue where they did not before", async () => {
    expect(await findings(drawn(sent(90)), drawn(sent(1)))).toEqual(["queue-backlog bill"]);
  });

  test("that waited as long before are not what changed", async () => {
    expect(await findings(drawn(sent(90)), drawn(sent(90)))).toEqual([]);
  });

  test("that nobody has taken up yet, the last that were sent: they wait, and nothing broke off", async () => {
    const before = drawn(sent(1));
    // The last 48 of 60 have no handler; the first did not wait.
    const isLate = (row: number): boolean =>
      before.kind[row] === SpanKind.consumer && before.startOffsetNs[row]! > 12e9;
    expect(await findings(without(before, isLate), before)).toEqual(["queue-backlog bill"]);
  });
});

describe("the instances of a service", () => {
  // The caller names each by its address: every one has a call path of its own.
  const served = (instance: string, bars: string): string => `
    shop GET /list |${"-".repeat(45)}| server
      shop GET      |${"-".repeat(42)}| client server.address=10.0.0.${instance}
        stock GET /list ${bars} server service.instance.id=stock-${instance}`;

  test("one of which is slow by itself", async () => {
    const now = drawn(served("1", "|--|"), served("2", `|${"-".repeat(36)}|`));
    const before = drawn(served("1", "|--|"), served("2", "|--|"));
    expect(await findings(now, before)).toContain("straggler stock");
  });
});

describe("a connection that is opened for each request", () => {
  const asked = (connect: string): string => `
    shop GET /list |${"-".repeat(40)}| server${connect}
      shop SELECT                            |-| ${QUERY}"SELECT name FROM items WHERE id = $1"`;

  test("is told as such, not as a slow statement", async () => {
    const connect = `
      shop pg.connect |${"-".repeat(18)}| client db.system.name=postgresql db.namespace=main`;
    expect(await findings(drawn(asked(connect)), drawn(asked("")))).toEqual(["connection-churn shop"]);
  });
});
