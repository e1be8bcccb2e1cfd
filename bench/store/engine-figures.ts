import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Link } from "../../src/store/connection.ts";
import type { Engine } from "../../src/store/embedded/engine.ts";

/** A link to an engine as the one who may write, without a database of its own. */
export function linkTo(engine: Engine): Link {
  return new Link({
    urls: [engine.url],
    user: engine.writer.user,
    password: engine.writer.password,
    database: "system",
  });
}

/** Until nothing is merged any more. */
export async function rest(link: Link): Promise<void> {
  for (let quiet = 0; quiet < 5; await delay(300)) {
    const [row] = await link.rows<{ n: number | string }>("SELECT count() AS n FROM system.merges", { asWriter: true });
    quiet = Number(row!.n) === 0 ? quiet + 1 : 0;
  }
}

export async function bytesOf(link: Link, database: string): Promise<number> {
  const [row] = await link.rows<{ b: string }>(
    "SELECT sum(bytes_on_disk) AS b FROM system.parts WHERE active AND database = {database:String} AND table != 'staging'",
    { parameters: { database }, asWriter: true },
  );
  return Number(row!.b);
}

/** MB of a process. */
export function rss(pid: number, field = "VmRSS"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)![1]) / 1024);
}

export function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
}

/** Prints how long `what` takes, on the clock and of the engine's processor; the first time is not counted. */
export async function timed<T>(
  engine: Engine,
  name: string,
  over: readonly T[],
  what: (one: T) => Promise<unknown>,
): Promise<void> {
  await what(over[0]!);
  const ms: number[] = [];
  const cpu = engine.cpuSeconds();
  for (const one of over) {
    const started = performance.now();
    await what(one);
    ms.push(performance.now() - started);
  }
  ms.sort((a, b) => a - b);
  const at = (q: number): string => ms[Math.min(ms.length - 1, Math.floor(q * ms.length))]!.toFixed(0);
  const used = ((engine.cpuSeconds() - cpu) / over.length) * 1000;
  console.log(`  ${name}: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms; ${used.toFixed(0)} ms of the engine's processor`);
}
