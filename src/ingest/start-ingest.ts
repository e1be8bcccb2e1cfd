import { mkdirSync } from "node:fs";
import { isIP } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Batcher } from "./batcher.ts";
import { Block } from "./block.ts";
import { listenGrpc } from "./grpc/grpc-receiver.ts";
import { type Access, listenHttp, type Listener } from "./http/http-receiver.ts";
import { collectLessOften } from "./heap-growth.ts";
import { type LedgerCounts, ledgerText } from "./ledger.ts";
import { DEFAULT_LIMITS, type IngestLimits } from "./limits.ts";
import { PhaseTimes } from "./phases.ts";
import { type ProfileTarget, startPulling } from "./profiles/pull-profiles.ts";
import { type ScrapeTarget, startScraping } from "./prometheus/scrape.ts";
import { Receiver } from "./receiver.ts";
import { KEPT_SIGNALS, type KeptSignal } from "./signal.ts";
import type { Sink } from "./sink.ts";
import { lockFolder } from "./wal/lock-folder.ts";
import { type Held, type Recovered, recoverWal } from "./wal/recover.ts";
import { RecordKind } from "./wal/record.ts";
import { DISK, type WalFiles } from "./wal/wal-files.ts";
import { Wal } from "./wal/wal.ts";

/** Where to listen; what is not given is not listened on. Port 0 takes a free one. */
export interface Listen {
  /** OTLP, and Zipkin at its usual path */
  readonly http?: Address;
  readonly grpc?: Address;
  /** the same as `http`, for senders that know only Zipkin's port */
  readonly zipkin?: Address;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

export interface IngestOptions extends Access {
  readonly listen: Listen;
  /** folder of the log; made where it does not exist */
  readonly walDir: string;
  readonly sink: Sink;
  /** programs that are asked for their metrics */
  readonly scrape?: readonly ScrapeTarget[];
  /** Go programs that are asked for their profiles */
  readonly profiles?: readonly ProfileTarget[];
  readonly limits?: Partial<IngestLimits>;
  /** told of troubles and of what was recovered, a line each */
  readonly log: (text: string) => void;
  /** Called a second after memory was collected that a load had left: to give it back to the system. */
  readonly giveBack?: () => void;
  /** the file system under the log */
  readonly files?: WalFiles;
}

export interface Ingest {
  /** the ports listened on */
  readonly ports: Readonly<Partial<Record<keyof Listen, number>>>;
  /** where every item that came has gone; a copy */
  ledger(): LedgerCounts;
  /** the ledger, the state of the log and the times of acknowledging, in Prometheus' text format */
  metricsText(): string;
  /**
   * Takes an OTLP metrics request (protobuf) that this process made itself, the way of what is received. Gives what was
   * not taken and why, "" where all was.
   */
  takeMetrics(request: Uint8Array): Promise<string>;
  /** Resolves when the store has all that was acknowledged before the call. */
  flush(): Promise<void>;
  /** Refuses what comes, answers what is in work, stores what it can within the limit `stopMs`; the rest stays in the log. */
  stop(): Promise<void>;
}

/**
 * Receives telemetry: a request is acknowledged when it is synced to the log, and goes to the sink in blocks.
 * What an earlier run left in the log goes first. Throws where a port or the folder cannot be had, where another process has the folder, and for an
 * address that others can reach without `authorize`.
 */
export async function startIngest(options: IngestOptions): Promise<Ingest> {
  const limits: IngestLimits = { ...DEFAULT_LIMITS, ...options.limits };
  for (const address of Object.values(options.listen)) refuseOpenAddress(address.host, options);
  collectLessOften();
  mkdirSync(options.walDir, { recursive: true, mode: 0o700 });
  const unlock = await lockFolder(options.walDir);
  let recovered: Recovered;
  try {
    recovered = recoverWal(options.walDir, options.log);
  } catch (error) {
    await unlock();
    throw error;
  }
  const core: Core = { ...assemble(options, limits, recovered), unlock };
  adoptBlocks(core.batcher, recovered, limits);
  const listeners: Listener[] = [];
  const ports: Partial<Record<keyof Listen, number>> = {};
  try {
    for (const name of ["http", "grpc", "zipkin"] as const) {
      const address = options.listen[name];
      if (address === undefined) continue;
      const listen = name === "grpc" ? listenGrpc : listenHttp;
      const listener = await listen(core.receiver, limits, address, options);
      listeners.push(listener);
      ports[name] = listener.port;
    }
    const endScraping = startScraping(options.scrape ?? [], core.receiver, limits.bodyBytes, options.log);
    listeners.push({ port: 0, close: endScraping });
    const endPulling = startPulling(options.profiles ?? [], core.receiver, limits.bodyBytes, options.log);
    listeners.push({ port: 0, close: endPulling });
  } catch (error) {
    core.batcher.abandon();
    await Promise.all(listeners.map((listener) => listener.close(0)));
    await core.wal.close();
    await unlock();
    throw error;
  }
  const { ledger, wal, batcher, phases } = core;
  let stopping: Promise<void> | undefined;
  return {
    ports,
    ledger: () => structuredClone(ledger.counts),
    metricsText: () => ledgerText(ledger.counts) + stateText(wal, batcher, recovered) + phases.text(),
    takeMetrics: (request) => takeMetrics(core.receiver, request),
    flush: () => batcher.flush(),
    stop: () => (stopping ??= stop(core, listeners, limits)),
  };
}

async function takeMetrics(receiver: Receiver, sent: Uint8Array): Promise<string> {
  const lease = receiver.admit(sent.length);
  if ("kind" in lease) return lease.message;
  try {
    const receivedMs = Date.now();
    const outcome = await receiver.take({
      signal: "metrics",
      format: "otlp-protobuf",
      encoding: "identity",
      receivedMs,
      sent,
    });
    return outcome.kind === "bad" ? outcome.error.message : outcome.message;
  } finally {
    lease.release();
  }
}

interface Core {
  readonly wal: Wal;
  readonly batcher: Batcher;
  readonly receiver: Receiver;
  readonly ledger: Recovered["ledger"];
  readonly phases: PhaseTimes;
  readonly unlock: () => Promise<void>;
}

function assemble(options: IngestOptions, limits: IngestLimits, recovered: Recovered): Omit<Core, "unlock"> {
  const { ledger, segments, nextSeq, voids } = recovered;
  const { log, sink } = options;
  // The log tells the batcher what is void, and the batcher writes to the log.
  const held: { batcher?: Batcher } = {};
  const phases = new PhaseTimes();
  const wal = new Wal({
    dir: options.walDir,
    files: options.files ?? DISK,
    segmentBytes: limits.segmentBytes,
    walBytes: limits.walBytes,
    minFreeBytes: limits.minFreeBytes,
    pauseMs: limits.diskPauseMs,
    segments,
    nextSeq,
    voids,
    snapshot: () => ledger.counts,
    onVoid: () => held.batcher!.dropWaiting(),
    phases,
    log,
  });
  const batcher = new Batcher({ wal, ledger, sink, limits, giveBack: options.giveBack ?? (() => {}), log });
  held.batcher = batcher;
  const receiver = new Receiver({ batcher, wal, ledger, limits, phases });
  return { wal, batcher, ledger, phases, receiver };
}

/** Blocks of an earlier run come again as they were; what no block held yet makes new ones. */
function adoptBlocks(batcher: Batcher, { blocks, loose }: Recovered, limits: IngestLimits): void {
  for (const { token, signal, records } of blocks) batcher.adopt(blockOf(signal, records), token);
  for (const signal of KEPT_SIGNALS) {
    let group: Held[] = [];
    let items = 0;
    let bytes = 0;
    for (const record of loose[signal]) {
      group.push(record);
      items += record.items;
      bytes += record.bytes;
      if (items < limits.blockRows && bytes < limits.blockBytes) continue;
      batcher.adopt(blockOf(signal, group), undefined);
      group = [];
      items = bytes = 0;
    }
    if (group.length > 0) batcher.adopt(blockOf(signal, group), undefined);
  }
}

function blockOf(signal: KeptSignal, records: readonly Held[]): Block {
  const block = new Block(signal, undefined);
  for (const { seq, place, items } of records) block.put(seq, place, items);
  return block;
}

async function stop(
  { receiver, batcher, wal, ledger, unlock }: Core,
  listeners: Listener[],
  limits: IngestLimits,
): Promise<void> {
  const endMs = performance.now() + limits.stopMs;
  receiver.stop();
  await Promise.all(listeners.map((listener) => listener.close(limits.stopMs / 2)));
  const given = new AbortController();
  const timeUp = sleep(Math.max(0, endMs - performance.now()), undefined, { signal: given.signal }).catch(() => {});
  await Promise.race([batcher.flush(), timeUp]);
  given.abort();
  batcher.abandon();
  // A snapshot holds the counts of all records before it, which they change when they are on the disk.
  await wal.idle();
  // Counts of refused requests since the last snapshot. Where the disk fails now there is nobody left to tell.
  const last = wal.append(RecordKind.ledger, Date.now(), ledger.counts, new Uint8Array(0), () => {});
  await last.written.catch(() => {});
  await wal.close();
  await unlock();
}

function refuseOpenAddress(host: string, { authorize }: Access): void {
  if (authorize !== undefined || isLoopback(host)) return;
  throw new Error(`${host} can be reached from other machines: set up tokens, or listen on 127.0.0.1`);
}

function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith("127.");
  return host === "::1" || host === "localhost";
}

function stateText(wal: Wal, batcher: Batcher, { damage }: Recovered): string {
  const rows: [string, string, number][] = [
    ["longpole_ingest_wal_bytes", "Size of the write-ahead log.", wal.bytes],
    ["longpole_ingest_wal_reserved_bytes", "Zeros written ahead for what comes, not in its size.", wal.reservedBytes],
    ["longpole_ingest_wal_segments", "Files of the write-ahead log.", wal.segments.length],
    ["longpole_ingest_wal_damaged_places", "Stretches found damaged when the log was read.", damage.places],
    ["longpole_ingest_wal_damaged_bytes", "Bytes of them.", damage.bytes],
    ["longpole_ingest_blocks_waiting", "Blocks that are closed and not stored yet.", batcher.backlog],
  ];
  return rows.map(([name, help, value]) => `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name} ${value}\n`).join("");
}
