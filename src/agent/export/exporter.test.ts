import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DiskQueue } from "./disk-queue.ts";
import { exportSettings, SettingError } from "./export-settings.ts";
import { Exporter } from "./exporter.ts";
import { outcomeOf, type Outcome } from "./post.ts";

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "longpole-queue-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const away: Outcome = { kind: "later", why: "connect ECONNREFUSED", waitMs: undefined };
const taken: Outcome = { kind: "taken" };
const bodyOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** An exporter towards a server that answers as told, with a clock that stands still until it is moved. */
function exporterTo(answers: (body: string) => Outcome, queue = new DiskQueue(folder, 1e6)) {
  const got: string[] = [];
  const log: string[] = [];
  const clock = { ms: 0 };
  const exporter = new Exporter({
    settings: exportSettings("http://127.0.0.1:1", {}),
    queue,
    post: async (_, body, isCompressed) => {
      expect(isCompressed).toBe(true);
      const text = gunzipSync(body).toString();
      const outcome = answers(text);
      if (outcome.kind === "taken") got.push(text);
      return outcome;
    },
    log: (text) => log.push(text),
    nowMs: () => clock.ms,
    random: () => 1,
  });
  return { exporter, queue, got, log, clock };
}

describe("a server that is away", () => {
  test("all waits on the disk, and comes in order when it is back", async () => {
    let isAway = true;
    const { exporter, queue, got, log, clock } = exporterTo(() => (isAway ? away : taken));
    for (const text of ["a", "b", "c"]) await exporter.send("metrics", bodyOf(text));
    expect(got).toEqual([]);
    expect(queue.size).toBe(3);
    isAway = false;
    await exporter.send("metrics", bodyOf("d"));
    // The time of the next try has not come.
    expect(got).toEqual([]);
    clock.ms = 1000;
    await exporter.send("metrics", bodyOf("e"));
    expect(got).toEqual(["a", "b", "c", "d", "e"]);
    expect(queue.size).toBe(0);
    expect(readdirSync(folder)).toEqual([]);
    expect(log).toHaveLength(2);
  });

  test("tries come at 1, 2, 4 … 60 s, and not before the server asked for", async () => {
    const asked: { waitMs: number | undefined } = { waitMs: undefined };
    const { exporter, clock } = exporterTo(() => ({ ...away, ...asked }));
    const waits: number[] = [];
    let tries = 0;
    const counting = exporter as unknown as { nextTryMs: number };
    for (; tries < 8; tries++) {
      await exporter.send("metrics", bodyOf("x"));
      waits.push(counting.nextTryMs - clock.ms);
      clock.ms = counting.nextTryMs;
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    asked.waitMs = 120_000;
    await exporter.send("metrics", bodyOf("x"));
    expect(counting.nextTryMs - clock.ms).toBe(120_000);
  });

  test("a process that is killed leaves whole requests, which the next one sends", async () => {
    const first = exporterTo(() => away);
    await first.exporter.send("metrics", bodyOf("a"));
    await first.exporter.send("profiles", bodyOf("b"));
    writeFileSync(join(folder, "000000000000003-metrics.otlp.gz.part"), "half");
    writeFileSync(join(folder, "somebody's"), "own");
    const second = exporterTo(() => taken, new DiskQueue(folder, 1e6));
    await second.exporter.finish();
    expect(second.got).toEqual(["a", "b"]);
    expect(readdirSync(folder)).toEqual(["somebody's"]);
  });

  test("that takes a request and is silent: what comes meanwhile is on the disk at once, and sent behind it", async () => {
    const waiting: ((outcome: Outcome) => void)[] = [];
    const got: string[] = [];
    const queue = new DiskQueue(folder, 1e6);
    const exporter = new Exporter({
      settings: exportSettings("http://127.0.0.1:1", {}),
      queue,
      post: (_, body) => {
        got.push(gunzipSync(body).toString());
        return new Promise((resolve) => waiting.push(resolve));
      },
      log: () => {},
      nowMs: () => 0,
      random: () => 1,
    });
    const first = exporter.send("metrics", bodyOf("a"));
    await vi.waitFor(() => expect(got).toEqual(["a"]));
    await exporter.send("metrics", bodyOf("b"));
    await exporter.send("metrics", bodyOf("c"));
    expect([got, queue.size]).toEqual([["a"], 2]);
    const done = Promise.all([first, exporter.finish()]);
    for (let i = 0; i < 3; i++) {
      await vi.waitFor(() => expect(waiting).toHaveLength(i + 1));
      waiting[i]!(taken);
    }
    await done;
    expect([got, queue.size]).toEqual([["a", "b", "c"], 0]);
  });

  test("beyond the cap the oldest goes and is counted", async () => {
    const queue = new DiskQueue(folder, 100);
    const { exporter } = exporterTo(() => away, queue);
    // Random letters do not become smaller: 30 bytes and gzip's 20.
    for (const text of [
      "one-qwertzuiopasdfghjklyxcvbnm",
      "two-mnbvcxylkjhgfdsapoiuztrewq",
      "three-qaywsxedcrfvtgbzhnujmi",
    ])
      await exporter.send("metrics", bodyOf(text));
    expect(queue.bytes).toBeLessThanOrEqual(100);
    expect(queue.size).toBeLessThan(3);
    expect(exporter.dropped).toBe(3 - queue.size);
    const after = exporterTo(() => taken, queue);
    await after.exporter.finish();
    expect(after.got.at(-1)).toMatch(/^three/);
  });
});

test("what a server refuses for good is dropped and counted, and the next goes on", async () => {
  const { exporter, got, log } = exporterTo((text) =>
    text === "bad" ? { kind: "refused", why: "status 400", isUnknown: false } : taken,
  );
  await exporter.send("metrics", bodyOf("bad"));
  await exporter.send("metrics", bodyOf("good"));
  expect(got).toEqual(["good"]);
  expect(exporter.dropped).toBe(1);
  expect(log[0]).toContain("refuses metrics: status 400");
});

test("profiles that a server has no path for are sent no more, and are no loss; metrics go on", async () => {
  const { exporter, got, log } = exporterTo((text) =>
    text.startsWith("profile") ? { kind: "refused", why: "status 404", isUnknown: true } : taken,
  );
  await exporter.send("profiles", bodyOf("profile 1"));
  await exporter.send("profiles", bodyOf("profile 2"));
  await exporter.send("metrics", bodyOf("metrics"));
  expect(got).toEqual(["metrics"]);
  expect(exporter.dropped).toBe(0);
  expect(log).toEqual([expect.stringContaining("profiles are not sent")]);
});

test("what cannot even be begun is lost and said; nothing is thrown", async () => {
  const { exporter, log } = exporterTo(() => {
    throw new Error("Invalid character in header content");
  });
  await exporter.send("metrics", bodyOf("a"));
  expect(exporter.dropped).toBe(1);
  expect(log).toEqual([expect.stringContaining("Invalid character")]);
});

test("a file that cannot be read or taken away is said, and sent no more", async () => {
  const away1 = exporterTo(() => away);
  await away1.exporter.send("metrics", bodyOf("a"));
  await away1.exporter.send("metrics", bodyOf("b"));
  const [first] = readdirSync(folder).toSorted();
  // A folder in its place: neither is it read, nor does it go.
  rmSync(join(folder, first!));
  mkdirSync(join(folder, first!));
  const queue = new DiskQueue(folder, 1e6);
  const { exporter, got, log } = exporterTo(() => taken, queue);
  await exporter.finish();
  expect(got).toEqual(["b"]);
  expect(queue.size).toBe(0);
  expect(log.join("\n")).toMatch(/is lost: .*\n.*stays in the folder/);
});

test.each([
  [200, undefined, { kind: "taken" }],
  [400, undefined, { kind: "refused", why: "status 400: no" }],
  [401, undefined, { kind: "refused" }],
  [500, undefined, { kind: "refused" }],
  [429, "7", { kind: "later", waitMs: 7000 }],
  [503, "Thu, 01 Jan 1970 00:00:30 GMT", { kind: "later", waitMs: 20_000 }],
  [503, "soon", { kind: "later", waitMs: undefined }],
  [502, undefined, { kind: "later", waitMs: undefined }],
] as const)("status %s, Retry-After %s", (status, retryAfter, expected) => {
  expect(outcomeOf(status, retryAfter, "no", 10_000)).toMatchObject(expected);
});

describe("where to send", () => {
  const of = (endpoint: string | undefined, environment: Record<string, string>): string =>
    exportSettings(endpoint, environment).metrics.url.href;

  test("the option, then the signal's address as it is, then the one of all with the signal's path", () => {
    expect(of(undefined, {})).toBe("http://127.0.0.1:4318/v1/metrics");
    expect(of(undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: "https://a:1/x/" })).toBe("https://a:1/x/v1/metrics");
    const both = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://a", OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "http://b/own" };
    expect(of(undefined, both)).toBe("http://b/own");
    expect(of("http://c:9", both)).toBe("http://c:9/v1/metrics");
  });

  test("what is not understood is said", () => {
    expect(() => of("127.0.0.1:4318", {})).toThrow(/expected http:\/\/HOST:PORT/);
    expect(() => of("ftp://a", {})).toThrow(/no address of HTTP/);
    expect(() => of(undefined, { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" })).toThrow(
      /grpc: the agent sends http\/protobuf/,
    );
    expect(() => of(undefined, { OTEL_EXPORTER_OTLP_TIMEOUT: "soon" })).toThrow(/TIMEOUT is soon/);
    expect(() => of(undefined, { OTEL_EXPORTER_OTLP_HEADERS: "token" })).toThrow(/key=value/);
  });

  test("a password in the address becomes a header, and is told nowhere", () => {
    const { url, headers } = exportSettings("https://agent:p%40ss@a:4318", {}).metrics;
    expect(url.href).toBe("https://a:4318/v1/metrics");
    // printf 'agent:p@ss' | base64
    expect(headers).toEqual({ authorization: "Basic YWdlbnQ6cEBzcw==" });
  });

  test.each([
    [{ OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%2" }, undefined],
    [{}, "http://agent:hunter2%@a:4318"],
  ])("what is not percent-encoded is said, and not repeated", (environment, endpoint) => {
    const parse = (): unknown => exportSettings(endpoint, environment);
    expect(parse).toThrow(SettingError);
    expect(parse).not.toThrow(/Bearer|hunter2/);
  });

  test("headers are decoded", () => {
    const { headers } = exportSettings(undefined, {
      OTEL_EXPORTER_OTLP_HEADERS: "Authorization=Bearer%20x,a=b=c",
    }).metrics;
    expect(headers).toEqual({ authorization: "Bearer x", a: "b=c" });
  });
});
