import { performance } from "node:perf_hooks";

/** Nanoseconds since 1970 by the monotonic clock's distance to it, so that windows follow one another. */
export const unixNs = (): bigint => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e3)) * 1000n;
