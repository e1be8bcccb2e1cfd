import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OtlpMetricDecoder } from "../src/formats/otlp-metrics-protobuf.ts";
import { attributeText } from "../src/model/attribute-table.ts";
import { Intake } from "../src/model/intake.ts";
import { MetricTableBuilder } from "../src/model/metric-table-builder.ts";
import type { Report } from "../src/model/report.ts";
import { longpole } from "./longpole.ts";
import {
  collectorRungs,
  eventually as eventuallyWithin,
  helperOf,
  isHelper,
  isRoot,
  type RunningAgent,
  startAgent as startAgentOn,
  testGround,
} from "./running-agent.ts";
import { START_TIMEOUT_MS, startUp, type RunningUp } from "./running-up.ts";

const SERVICE = "shop-of-the-agent-test";
/** Of a test as a whole: everything in it is waited for, nothing is measured. */
const PATIENCE_MS = 150_000;

const rungs = collectorRungs();
const hasProbes = rungs.get("off-CPU times and stacks") === "helper";

const ground = testGround("agent");

const startAgent = (endpoint: string, queue: string, ...words: readonly string[]): RunningAgent =>
  startAgentOn(ground, endpoint, queue, words);

const eventually = <T>(
  look: () => Promise<T | undefined> | T | undefined,
  what: () => string,
  agent?: RunningAgent,
): Promise<T> => eventuallyWithin(PATIENCE_MS - 10_000, look, what, agent);

/** A service that computes for each request, and somebody who asks it all the time. */
const SHOP = `
import { createServer, get } from "node:http";
function priceBasket() { let x = 0; for (let i = 0; i < 3e5; i++) x += Math.sqrt(i); return x; }
const server = createServer((_, response) => response.end(String(priceBasket()))).listen(0, "127.0.0.1", () => {
  const ask = () => get({ port: server.address().port, host: "127.0.0.1" }, (answer) => answer.resume().once("end", () => setTimeout(ask, 10)));
  ask();
});`;

function startShop(): ChildProcess {
  const script = join(ground.folder, "server.mjs");
  writeFileSync(script, SHOP);
  const child = ground.keep(
    spawn(process.execPath, ["--perf-basic-prof", script], {
      env: { PATH: process.env["PATH"] ?? "", OTEL_SERVICE_NAME: SERVICE, SECRET: "not-to-be-told" },
      stdio: "ignore",
      // V8 writes a log into the folder that it is started in.
      cwd: ground.folder,
    }),
  );
  child.once("exit", () => rmSync(`/tmp/perf-${child.pid}.map`, { force: true }));
  return child;
}

/** Spans as the shop's SDK would send them. */
async function sendSpans(otlpUrl: string, host: string): Promise<void> {
  const now = BigInt(Date.now()) * 1_000_000n;
  const spans = Array.from({ length: 200 }, (_, i) => {
    const start = now - BigInt(i) * 20_000_000n - 1_000_000_000n;
    const id = (Number(now % 1_000_000_000_000n) + i).toString(16).padStart(16, "0");
    return {
      traceId: id.padStart(32, "0"),
      spanId: id,
      name: "GET /basket",
      kind: 2,
      startTimeUnixNano: String(start),
      endTimeUnixNano: String(start + 5_000_000n),
    };
  });
  const text = (key: string, stringValue: string): object => ({ key, value: { stringValue } });
  const resource = { attributes: [text("service.name", SERVICE), text("host.name", host)] };
  const answer = await fetch(`${otlpUrl}/v1/traces`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }),
  });
  expect(answer.status).toBe(200);
}

interface HostsAnswer {
  readonly hosts: readonly {
    readonly host: string;
    readonly state: string;
    readonly collectors: readonly { readonly name: string; readonly rung: string; readonly why: string }[];
    readonly services: readonly { readonly service: string; readonly origin: string; readonly processes: number }[];
    readonly agent?: { readonly shed: readonly string[] };
  }[];
}

describe("an agent, a server and a service", () => {
  let up: RunningUp;
  let shop: ChildProcess;
  let agent: RunningAgent;
  beforeAll(async () => {
    up = await startUp(join(ground.folder, "data"));
    shop = startShop();
    // On a machine that runs tests it may take more than a hundredth of a core each half a second.
    const budget = ["--cpu-budget", "90%", "--memory-budget", "1GB"];
    agent = startAgent(up.otlpUrl, "with-server", "--interval", "500ms", "--profile-interval", "2s", ...budget);
  }, START_TIMEOUT_MS);
  afterAll(async () => {
    up.kill("SIGKILL");
    await up.ended;
  });

  const hosts = async (): Promise<HostsAnswer> =>
    (await (await fetch(`${up.apiUrl}/api/v1/hosts`)).json()) as HostsAnswer;

  test(
    "the host, its collectors and its services are known, the service by its environment",
    { timeout: PATIENCE_MS },
    async () => {
      const host = await eventually(
        async () => (await hosts()).hosts.find(({ services }) => services.some(({ service }) => service === SERVICE)),
        () => agent.stderr(),
      );
      expect(host.state).toBe("reporting");
      expect(host.services.find(({ service }) => service === SERVICE)).toEqual({
        service: SERVICE,
        origin: "environment",
        processes: 1,
      });
      const rungOf = (name: string): string | undefined => host.collectors.find((one) => one.name === name)?.rung;
      expect(rungOf("counters of the machine, processes and containers")).toBe("procfs");
      if (hasProbes) expect(rungOf("on-CPU stacks")).toBe("helper");
    },
  );

  test.runIf(hasProbes)(
    "its profile is kept by the server, and names its function",
    { timeout: PATIENCE_MS },
    async () => {
      const file = join(ground.folder, "kept.pb");
      const isKept = await eventually(
        async () => {
          const answer = await fetch(`${up.apiUrl}/api/v1/export?last=10m&format=pprof&service=${SERVICE}`);
          if (!answer.ok) return undefined;
          writeFileSync(file, Buffer.from(await answer.arrayBuffer()));
          const { code, stdout } = longpole(["flame", file, "--folded"]);
          return code === 0 && stdout.includes("priceBasket") ? true : undefined;
        },
        () => `priceBasket in a profile of the server; the agent said: ${agent.stderr()}`,
        agent,
      );
      expect(isKept).toBe(true);
    },
  );

  test("its metrics stand beside its spans: the report has its resources", { timeout: PATIENCE_MS }, async () => {
    const [host] = (await hosts()).hosts;
    const resources = await eventually(
      async () => {
        // Anew each time: ceilings come of windows that have both spans and counters.
        await sendSpans(up.otlpUrl, host!.host);
        const report = (await (await fetch(`${up.apiUrl}/api/v1/report?last=5m`)).json()) as Report;
        const own = report.throughput?.resources?.filter(({ service }) => service === SERVICE) ?? [];
        return own.some(({ resource }) => resource === "cpu") ? own : undefined;
      },
      () => "resources of the service in the report",
      agent,
    );
    const cpu = resources.find(({ resource }) => resource === "cpu")!;
    // It computes more than half of the time between two pauses of 10 ms; how much of a core that is, the machine decides.
    expect(cpu.utilisation).toBeGreaterThan(0.01);
    expect(cpu.utilisation).toBeLessThanOrEqual(1);
  });

  test("the exporter has no rights, and the helper those that it needs", { timeout: PATIENCE_MS }, () => {
    const helper = helperOf(agent);
    const capabilitiesOf = (pid: number): bigint => {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      return BigInt(`0x${/^CapEff:\s+(\S+)$/m.exec(status)![1]!}`);
    };
    if (!isRoot) return;
    expect(capabilitiesOf(agent.child.pid!)).toBe(0n);
    if (!hasProbes) return;
    // CAP_DAC_READ_SEARCH is 2, CAP_SYS_PTRACE 19, CAP_BPF 39.
    expect(capabilitiesOf(helper!)).toBe((1n << 2n) | (1n << 19n) | (1n << 39n));
  });

  test("it ends when it is asked to, and the target goes on", { timeout: PATIENCE_MS }, async () => {
    agent.child.kill("SIGINT");
    expect(await agent.ended).toBe(0);
    expect(shop.exitCode).toBeNull();
    expect(shop.signalCode).toBeNull();
    expect(readdirSync(join(ground.folder, "with-server"))).toEqual([]);
    expect(agent.stderr()).not.toContain("lost");
  });
});

test.runIf(hasProbes)("its profiles name the functions of a service", { timeout: PATIENCE_MS }, async () => {
  const sink = await startSink();
  const shop = startShop();
  const budget = ["--cpu-budget", "90%", "--memory-budget", "1GB"];
  const agent = startAgent(sink.url, "profiles", "--interval", "500ms", "--profile-interval", "2s", ...budget);
  const file = join(ground.folder, "profile.pb");
  const folded = await eventually(
    () => {
      for (const { body } of sink.requests.splice(0).filter(({ path }) => path === "/v1development/profiles")) {
        writeFileSync(file, body);
        const { code, stdout } = longpole(["flame", file, "--folded"]);
        expect(code).toBe(0);
        if (stdout.includes("priceBasket")) return stdout;
      }
      return undefined;
    },
    () => `priceBasket in a profile; the agent said: ${agent.stderr()}`,
    agent,
  );
  // The kernel's frames and those of the program are of one stack.
  expect(folded).toMatch(/node;.*priceBasket.* \d+/);
  agent.child.kill("SIGINT");
  expect(await agent.ended).toBe(0);
  expect([shop.exitCode, shop.signalCode]).toEqual([null, null]);
  shop.kill("SIGKILL");
  sink.server.close();
});

/** A service that writes and syncs, and one connection to itself after the other. */
const KEEPER = `
import { createServer, connect } from "node:net";
import { openSync, writeSync, fsyncSync } from "node:fs";
const file = openSync("kept", "w");
const server = createServer((socket) => socket.resume().on("error", () => {})).listen(0, "127.0.0.1", () => {
  setInterval(() => {
    writeSync(file, Buffer.alloc(16384, 1), 0, 16384, 0);
    fsyncSync(file);
    connect({ port: server.address().port, host: "127.0.0.1" }, function () { this.end(); }).on("error", () => {});
  }, 50);
});`;

test.runIf(hasProbes)(
  "what the kernel counts of a service goes out under its name, as numbers that only grow",
  { timeout: PATIENCE_MS },
  async () => {
    const sink = await startSink();
    const child = ground.keep(
      spawn(process.execPath, ["--input-type=module", "-e", KEEPER], {
        env: { PATH: process.env["PATH"] ?? "", OTEL_SERVICE_NAME: "keeper-of-the-agent-test" },
        stdio: "ignore",
        cwd: ground.folder,
      }),
    );
    const budget = ["--cpu-budget", "90%", "--memory-budget", "1GB"];
    const agent = startAgent(sink.url, "counts", "--interval", "500ms", ...budget);
    const connects: { readonly count: number; readonly sum: number }[] = [];
    await eventually(
      () => {
        for (const { body } of sink.requests.splice(0).filter(({ path }) => path === "/v1/metrics"))
          connects.push(...pointsOf(body, "keeper-of-the-agent-test", "longpole.process.tcp.connect.duration"));
        return connects.length >= 5 ? true : undefined;
      },
      () => `connects of the service; the agent said: ${agent.stderr()}`,
      agent,
    );
    // A connection each 50 ms at most, in half a second or more between two points; each takes less than a second.
    for (const [i, { count, sum }] of connects.entries()) {
      expect(count).toBeGreaterThanOrEqual(i === 0 ? 1 : connects[i - 1]!.count);
      expect(sum).toBeGreaterThan(0);
      expect(sum / count).toBeLessThan(1);
    }
    expect(connects.at(-1)!.count).toBeGreaterThan(connects[0]!.count);
    const last = await eventually(
      () => sink.requests.findLast(({ path }) => path === "/v1/metrics")?.body,
      () => "another request",
    );
    if (rungs.get("block I/O by process") === "helper") {
      const [written] = pointsOf(last, "longpole-agent", "longpole.host.block_io.duration");
      expect(written!.count).toBeGreaterThan(0);
    }
    agent.child.kill("SIGINT");
    expect(await agent.ended).toBe(0);
    child.kill("SIGKILL");
    sink.server.close();
  },
);

/** Histogram points of a metric of a service in an OTLP request. */
function pointsOf(body: Buffer, service: string, metric: string): { readonly count: number; readonly sum: number }[] {
  const builder = new MetricTableBuilder();
  new OtlpMetricDecoder(builder, new Intake(), "request").request(body, 0, body.length, 0);
  const { table } = builder.finish();
  const { points, resources, strings } = table;
  const isOf = (series: number): boolean => {
    if (strings.get(table.name[series]!) !== metric) return false;
    const list = table.resource[series]!;
    for (let row = resources.listStart[list]!; row < resources.listStart[list + 1]!; row++)
      if (strings.get(resources.key[row]!) === "service.name")
        return attributeText(resources, strings, row) === service;
    return false;
  };
  return [...points.series.keys()]
    .filter((row) => isOf(points.series[row]!) && points.distribution[row]! >= 0)
    .map((row) => ({ count: points.distributions.count[points.distribution[row]!]!, sum: points.value[row]! }));
}

/** Takes OTLP requests; what came, decompressed. */
async function startSink(): Promise<{
  readonly url: string;
  readonly requests: { readonly path: string; readonly body: Buffer }[];
  readonly server: Server;
}> {
  const requests: { path: string; body: Buffer }[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      requests.push({ path: request.url ?? "", body: gunzipSync(Buffer.concat(pieces)) });
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, server };
}

const waitingIn = (queue: string): string[] => {
  const path = join(ground.folder, queue);
  return existsSync(path)
    ? readdirSync(path)
        .filter((name) => name.endsWith(".gz"))
        .toSorted()
    : [];
};

test(
  "killed while its server is away: no probe stays attached, and what waited is sent by the next one",
  { timeout: PATIENCE_MS },
  async () => {
    const sink = await startSink();
    sink.server.close();
    const first = startAgent(sink.url, "killed", "--interval", "300ms");
    await eventually(
      () => (waitingIn("killed").length >= 3 ? true : undefined),
      () => first.stderr(),
    );
    const helper = helperOf(first);
    if (hasProbes) expect(helper).toBeDefined();
    first.child.kill("SIGKILL");
    await first.ended;
    if (helper !== undefined)
      await eventually(
        () => (isHelper(helper) ? undefined : true),
        () => "the end of the helper",
      );
    const waiting = waitingIn("killed");
    expect(waiting.length).toBeGreaterThanOrEqual(3);
    const back = await startSink();
    const second = startAgent(back.url, "killed", "--interval", "300ms", "--no-probes");
    await eventually(
      () => (back.requests.length >= waiting.length + 2 ? true : undefined),
      () => second.stderr(),
    );
    second.child.kill("SIGINT");
    expect(await second.ended).toBe(0);
    expect(waitingIn("killed")).toEqual([]);
    back.server.close();
  },
);

test.runIf(hasProbes)(
  "beyond its budget it gives up probes in its order, says so, and goes on with counters",
  { timeout: PATIENCE_MS },
  async () => {
    const sink = await startSink();
    const agent = startAgent(sink.url, "budget", "--interval", "100ms", "--cpu-budget", "0.001%");
    await eventually(
      () => (agent.stderr().includes("scrapes every 0.4 s") ? true : undefined),
      () => agent.stderr(),
    );
    const said = [...agent.stderr().matchAll(/it (gives up [^\n]+|scrapes every [\d.]+ s)/g)].map(([, what]) => what);
    expect(said.slice(0, 9)).toEqual([
      "gives up page faults",
      "gives up kernel locks",
      "gives up TCP",
      "gives up block I/O",
      "gives up off-CPU stacks",
      "gives up on-CPU stacks",
      "gives up off-CPU times",
      "scrapes every 0.2 s",
      "scrapes every 0.4 s",
    ]);
    const before = sink.requests.length;
    await eventually(
      () => (sink.requests.length >= before + 2 ? true : undefined),
      () => "further scrapes",
    );
    const last = sink.requests.findLast(({ path }) => path === "/v1/metrics")!.body.toString("latin1");
    expect(last).toContain("given up to stay within the agent's budget");
    expect(last).toContain("system.cpu.time");
    agent.child.kill("SIGINT");
    expect(await agent.ended).toBe(0);
    sink.server.close();
  },
);

test.runIf(hasProbes && isRoot)(
  "without probes the helper still tells whose processes of other users are",
  { timeout: PATIENCE_MS },
  async () => {
    const sink = await startSink();
    const shop = startShop();
    const agent = startAgent(sink.url, "looking", "--interval", "300ms", "--no-probes");
    await eventually(
      () => (sink.requests.some(({ body }) => body.includes(SERVICE)) ? true : undefined),
      () => agent.stderr(),
      agent,
    );
    agent.child.kill("SIGINT");
    expect(await agent.ended).toBe(0);
    // Of the environment nothing else is sent.
    for (const { path, body } of sink.requests) {
      expect(path).toBe("/v1/metrics");
      expect(body.includes("not-to-be-told")).toBe(false);
    }
    shop.kill("SIGKILL");
    sink.server.close();
  },
);

const WHO_IS_NOT: [string[], string] = [["--user", "nobody-of-that-name"], "there is no user nobody-of-that-name"];

test.each<[string[], string]>([
  [["--endpoint", "127.0.0.1"], "expected http://HOST:PORT"],
  [["--interval", "soon"], "10s"],
  [["--postgres", "mysql://a"], "expected postgres://"],
  // Who is not root stays what he is, and is not asked whom to become.
  ...(isRoot ? [WHO_IS_NOT] : []),
])("%j is refused", (args, message) => {
  const { code, stderr } = longpole(["agent", "--queue", join(ground.folder, "refused"), ...args]);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});
