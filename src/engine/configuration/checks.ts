import { abandonedWork } from "./abandoned-work.ts";
import type { ConfigurationCheck } from "./configuration-check.ts";
import { cpuQuota } from "./cpu-quota.ts";
import { databaseConnections } from "./database-connections.ts";
import { ephemeralPorts } from "./ephemeral-ports.ts";
import { eventLoop } from "./event-loop.ts";
import { fileDescriptors } from "./file-descriptors.ts";
import { growthToLimit } from "./growth-to-limit.ts";
import { heapSize } from "./heap-size.ts";
import { keepAlive } from "./keep-alive.ts";
import { listenQueue } from "./listen-queue.ts";
import { memoryLimit } from "./memory-limit.ts";
import { poolSize } from "./pool-size.ts";
import { autovacuum, checkpoints, sharedBuffers, workMem } from "./postgres-settings.ts";
import { idleTransactions, randomPageCost, spillingStatements } from "./postgres-statements.ts";
import { replicaLag } from "./replica-lag.ts";
import { retryAmplification } from "./retry-amplification.ts";
import { tableGrowth } from "./table-growth.ts";
import { threadPool } from "./thread-pool.ts";

/** All checks of settings, in the order in which their results are told. */
export const CHECKS: readonly ConfigurationCheck[] = [
  poolSize,
  databaseConnections,
  cpuQuota,
  eventLoop,
  threadPool,
  heapSize,
  memoryLimit,
  growthToLimit,
  listenQueue,
  keepAlive,
  fileDescriptors,
  ephemeralPorts,
  retryAmplification,
  abandonedWork,
  sharedBuffers,
  checkpoints,
  workMem,
  autovacuum,
  idleTransactions,
  randomPageCost,
  spillingStatements,
  tableGrowth,
  replicaLag,
];
