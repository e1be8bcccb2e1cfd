import { abandonedWork } from "./abandoned-work.ts";
import type { ConfigurationCheck } from "./configuration-check.ts";
import { cpuQuota } from "./cpu-quota.ts";
import { databaseConnections } from "./database-connections.ts";
import { eventLoop } from "./event-loop.ts";
import { keepAlive } from "./keep-alive.ts";
import { listenQueue } from "./listen-queue.ts";
import { poolSize } from "./pool-size.ts";
import { retryAmplification } from "./retry-amplification.ts";
import { threadPool } from "./thread-pool.ts";

/** All checks of settings, in the order in which their results are told. */
export const CHECKS: readonly ConfigurationCheck[] = [
  poolSize,
  databaseConnections,
  cpuQuota,
  eventLoop,
  threadPool,
  listenQueue,
  keepAlive,
  retryAmplification,
  abandonedWork,
];
