import { nearestWord } from "../../analysis/nearest-word.ts";
import { LabError } from "../lab-error.ts";
import { acceptQueue } from "./accept-queue.ts";
import { applicationLock } from "./application-lock.ts";
import { blockedEventLoop } from "./blocked-event-loop.ts";
import { blockedEventLoopAndTimeout } from "./blocked-event-loop-and-timeout.ts";
import { busyProcess } from "./busy-process.ts";
import { cacheOff } from "./cache-off.ts";
import { connectionChurn } from "./connection-churn.ts";
import { connectionHeld } from "./connection-held.ts";
import { cpuQuota } from "./cpu-quota.ts";
import { databaseDoubled } from "./database-doubled.ts";
import { debugLog } from "./debug-log.ts";
import { diskWriters } from "./disk-writers.ts";
import { duplicateCalls } from "./duplicate-calls.ts";
import { easyBursts } from "./easy-bursts.ts";
import { errorPath } from "./error-path.ts";
import { fewPartnerErrors } from "./few-partner-errors.ts";
import { fixedDelay } from "./fixed-delay.ts";
import { fixedDelayAndSlowCode } from "./fixed-delay-and-slow-code.ts";
import { garbageCollection } from "./garbage-collection.ts";
import { hungryIngest } from "./hungry-ingest.ts";
import { largeCache } from "./large-cache.ts";
import { largePool } from "./large-pool.ts";
import { loadIncrease } from "./load-increase.ts";
import { memoryLeak } from "./memory-leak.ts";
import { missingIndex } from "./missing-index.ts";
import { missingIndexAndNPlusOne } from "./missing-index-and-n-plus-one.ts";
import { mixShift } from "./mix-shift.ts";
import { nPlusOne } from "./n-plus-one.ts";
import { nPlusOneAmidNoise } from "./n-plus-one-amid-noise.ts";
import { networkDelay } from "./network-delay.ts";
import { networkLoss } from "./network-loss.ts";
import { noisyNeighbour } from "./noisy-neighbour.ts";
import { notFoundAnswers } from "./not-found-answers.ts";
import { payloadGrowth } from "./payload-growth.ts";
import { politeNeighbour } from "./polite-neighbour.ts";
import { queueBacklog } from "./queue-backlog.ts";
import { rareLargeBatches } from "./rare-large-batches.ts";
import { retries } from "./retries.ts";
import { rowLock } from "./row-lock.ts";
import { sequentialCalls } from "./sequential-calls.ts";
import { sequentialCallsAndSlowThirdParty } from "./sequential-calls-and-slow-third-party.ts";
import { shortCacheTtl } from "./short-cache-ttl.ts";
import { slowCode } from "./slow-code.ts";
import { slowDisk } from "./slow-disk.ts";
import { slowParser } from "./slow-parser.ts";
import { slowQuery } from "./slow-query.ts";
import { slowQueryAmidBursts } from "./slow-query-amid-bursts.ts";
import { slowThirdParty } from "./slow-third-party.ts";
import { smallCache } from "./small-cache.ts";
import { smallPool } from "./small-pool.ts";
import { smallSocketLimit } from "./small-socket-limit.ts";
import { straggler } from "./straggler.ts";
import { syncPerPoint } from "./sync-per-point.ts";
import { threadStarvation } from "./thread-starvation.ts";
import { timeout } from "./timeout.ts";
import type { Fault } from "./fault.ts";
import { HEALTHY_CONTROLS } from "./healthy-controls.ts";

/** All that the lab can break, and what it leaves whole: the stories first, the controls last. */
export const FAULTS: readonly Fault[] = [
  databaseDoubled,
  hungryIngest,
  slowCode,
  busyProcess,
  blockedEventLoop,
  garbageCollection,
  memoryLeak,
  slowParser,
  errorPath,
  fixedDelay,
  sequentialCalls,
  duplicateCalls,
  nPlusOne,
  retries,
  timeout,
  slowThirdParty,
  cacheOff,
  smallCache,
  shortCacheTtl,
  missingIndex,
  slowQuery,
  smallPool,
  connectionHeld,
  connectionChurn,
  rowLock,
  slowDisk,
  diskWriters,
  threadStarvation,
  applicationLock,
  cpuQuota,
  noisyNeighbour,
  straggler,
  queueBacklog,
  smallSocketLimit,
  acceptQueue,
  networkDelay,
  networkLoss,
  payloadGrowth,
  syncPerPoint,
  debugLog,
  loadIncrease,
  mixShift,
  missingIndexAndNPlusOne,
  sequentialCallsAndSlowThirdParty,
  fixedDelayAndSlowCode,
  blockedEventLoopAndTimeout,
  notFoundAnswers,
  politeNeighbour,
  largePool,
  largeCache,
  rareLargeBatches,
  fewPartnerErrors,
  easyBursts,
  nPlusOneAmidNoise,
  slowQueryAmidBursts,
  ...HEALTHY_CONTROLS,
];

/** The fault of that name; throws a LabError that names the nearest one where there is none. */
export function faultNamed(name: string): Fault {
  const fault = FAULTS.find((known) => known.name === name);
  if (fault !== undefined) return fault;
  const nearest = nearestWord(
    name,
    FAULTS.map((known) => known.name),
  );
  const advice = nearest === undefined ? "demo --list names them" : `did you mean ${nearest}?`;
  throw new LabError("unknown-fault", `there is no fault "${name}": ${advice}`);
}
