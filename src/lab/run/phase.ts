import { readFile, rm } from "node:fs/promises";
import { cpus } from "node:os";
import { basename } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { TimedStatement } from "../faults/fault.ts";
import { LabError } from "../lab-error.ts";
import type { LoadPlan } from "../load/load-plan.ts";
import { runLoad, type LoadProgress } from "../load/run-load.ts";
import type { HostRecording, PhaseRecording } from "../recording/lab-truth.ts";
import type { SystemSettings } from "../settings.ts";
import { SERVICES } from "../settings.ts";
import type { TelemetrySink } from "../../load/telemetry-sink.ts";
import type { RunningSystem } from "../system/start-system.ts";
import { inCompany } from "./in-company.ts";
import { recordHosts } from "./record-hosts.ts";

/** What one stretch of the run is made of. */
export interface PhasePlan {
  readonly settings: SystemSettings;
  readonly load: LoadPlan;
  readonly during: readonly TimedStatement[];
  /** whether V8 profiles of all services are taken */
  readonly profile: boolean;
}

/** What was recorded in one stretch under load, and how long the processors of the machine were busy meanwhile. */
export interface PhaseRecord extends PhaseRecording {
  /** milliseconds of all processors that were in use */
  readonly busyMs: number;
  /** milliseconds since 1970: from the first request on, until all that it caused has been sent and profiles are taken */
  readonly beganUnixMs: number;
  readonly endedUnixMs: number;
}

export interface PhaseHooks {
  readonly signal: AbortSignal;
  readonly progress: (progress: LoadProgress) => void;
}

/** The parts of the lab that a stretch runs on. */
export interface Stage {
  readonly system: RunningSystem;
  readonly sink: TelemetrySink;
  /** profiles are written below it, and neighbours write to its disk */
  readonly folder: string;
}

/** Caches fill, code is compiled and pools open under the same load before anything counts. */
const WARM_UP_SECONDS = 3;
/** Another seed than the phase's own, so that its requests are not answered from caches that just these filled. */
const WARM_UP_SEED = 1000;

/** Brings the system into its state, warms it up, and records it under load. */
export async function runPhase(stage: Stage, plan: PhasePlan, hooks: PhaseHooks): Promise<PhaseRecord> {
  const { system } = stage;
  await system.apply(plan.settings);
  const { records } = plan.settings.postgres;
  const warmUp: LoadPlan = { ...plan.load, schedule: { kind: "steady" }, seconds: WARM_UP_SECONDS };
  const seed = plan.load.seed + WARM_UP_SEED;
  await runLoad(system.gatewayUrl, { ...warmUp, seed }, { signal: hooks.signal, records });
  await system.flush();
  return record(stage, plan, hooks);
}

async function record(stage: Stage, plan: PhasePlan, hooks: PhaseHooks): Promise<PhaseRecord> {
  const { system, sink } = stage;
  await resetStatements(system);
  sink.beginWindow();
  const beganUnixMs = Date.now();
  const before = busyTimeMs();
  const load = await inCompany(
    (signal) => runLoad(system.gatewayUrl, plan.load, { ...hooks, signal, records: plan.settings.postgres.records }),
    (ended) => runStatements(system, plan.during, ended),
    hooks.signal,
  );
  const after = busyTimeMs();
  await system.flush();
  const telemetry = sink.endWindow();
  if (telemetry.refused > 0) {
    const why = "more than is kept in memory of one phase, or broken off on a busy machine";
    throw new LabError("window-incomplete", `${telemetry.refused} exports of the services were not taken: ${why}`);
  }
  const statements = await readStatements(system);
  // Before the profiles, whose signals make work that the host would see.
  const hosts = plan.profile ? await lookFromHost(stage, plan, hooks) : [];
  const profiles = plan.profile ? await takeProfiles(stage, plan, hooks) : [];
  return { load, telemetry, statements, hosts, profiles, busyMs: after - before, beganUnixMs, endedUnixMs: Date.now() };
}

/** All but the third party, of which nobody here could have a profile. */
const observedServices = (system: RunningSystem): (typeof SERVICES)[number][] =>
  SERVICES.filter((service) => service !== "registrar" && system.pids()[service] !== undefined);

/** Runs each statement at its time; those that are not due when the load ends no longer run. */
async function runStatements(
  system: RunningSystem,
  statements: readonly TimedStatement[],
  ended: AbortSignal,
): Promise<void> {
  const began = performance.now();
  for (const { atSeconds, sql } of statements) {
    const waitMs = began + atSeconds * 1000 - performance.now();
    if (waitMs > 0) await pause(waitMs, undefined, { signal: ended }).catch(() => {});
    if (ended.aborted) return;
    await system.query(sql);
  }
}

const STATEMENTS = `SELECT queryid::text AS queryid, query, calls, total_exec_time, mean_exec_time, rows,
  shared_blks_hit, shared_blks_read, temp_blks_written, wal_bytes::float8 AS wal_bytes
  FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
  WHERE d.datname = current_database() ORDER BY total_exec_time DESC LIMIT 200`;

async function hasStatements(system: RunningSystem): Promise<boolean> {
  const rows = await system.query("SELECT 1 FROM pg_extension WHERE extname = 'pg_stat_statements'");
  return rows.length > 0;
}

async function resetStatements(system: RunningSystem): Promise<void> {
  // Of this database only: the server may be the user's own.
  const ours = "(SELECT oid FROM pg_database WHERE datname = current_database())";
  if (await hasStatements(system)) await system.query(`SELECT pg_stat_statements_reset(0, ${ours}, 0)`);
}

async function readStatements(system: RunningSystem): Promise<readonly Record<string, unknown>[]> {
  return (await hasStatements(system)) ? system.query(STATEMENTS) : [];
}

/** Milliseconds that all processors together have been busy so far. */
const busyTimeMs = (): number =>
  cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);

/**
 * Profiles of all services, under the same load for some seconds more. Not meanwhile: the profiler's signals, one each
 * millisecond, wake an idle event loop, which then passes for a busy one in its own metrics (60 % instead of 3 %).
 */
async function takeProfiles(stage: Stage, plan: PhasePlan, hooks: PhaseHooks): Promise<PhaseRecording["profiles"]> {
  const { system, folder } = stage;
  const { records } = system.settings.postgres;
  const load: LoadPlan = { ...plan.load, seconds: PROFILED_SECONDS, seed: plan.load.seed + PROFILED_SEED };
  await system.startProfiles(observedServices(system));
  await runLoad(system.gatewayUrl, load, { signal: hooks.signal, records });
  return Promise.all((await system.stopProfiles(folder)).map(readProfile));
}

/** What the host sees of the services, under the same load for some seconds more, so that what is measured is not what looking costs. */
async function lookFromHost({ system }: Stage, plan: PhasePlan, hooks: PhaseHooks): Promise<HostRecording[]> {
  const { records } = system.settings.postgres;
  const load: LoadPlan = { ...plan.load, seconds: HOST_SECONDS, seed: plan.load.seed + HOST_SEED };
  const pids = system.pids();
  const observed = Object.fromEntries(observedServices(system).map((service) => [service, pids[service] ?? []]));
  const [hosts] = await Promise.all([
    recordHosts(observed, HOST_SECONDS - 1, hooks.signal),
    runLoad(system.gatewayUrl, load, { signal: hooks.signal, records }),
  ]);
  return hosts;
}

/** At 49 samples a second 400 of a busy thread; waits are counted exactly. */
const HOST_SECONDS = 9;
const HOST_SEED = 3000;

/** Six thousand samples of each service. */
const PROFILED_SECONDS = 6;
const PROFILED_SEED = 2000;

/** `zones-0.cpuprofile` is one of the service zones. */
async function readProfile(path: string): Promise<PhaseRecording["profiles"][number]> {
  const content = await readFile(path);
  await rm(path);
  return { service: basename(path).replace(/-\d+\.cpuprofile$/, ""), content };
}
