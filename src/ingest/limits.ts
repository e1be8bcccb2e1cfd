/** What ingest takes and holds at most, and for how long it waits. */
export interface IngestLimits {
  /** one request as sent, and after decompression */
  readonly bodyBytes: number;
  readonly decompressedBytes: number;
  /** requests that are read, decompressed or wait for the disk, as sent, all together */
  readonly inFlightBytes: number;
  readonly inFlightRequests: number;
  readonly connections: number;
  /** a block is closed when it has so many rows, was made of so many bytes, or is so old */
  readonly blockRows: number;
  readonly blockBytes: number;
  readonly blockAgeMs: number;
  /** older spans and points are rejected: the store would not keep them */
  readonly spanAgeMs: number;
  readonly pointAgeMs: number;
  readonly insertsInFlight: number;
  /** closed blocks beyond these are read from the log again when their turn comes */
  readonly blocksInMemory: number;
  readonly segmentBytes: number;
  readonly walBytes: number;
  /** room on the disk that is left to others */
  readonly minFreeBytes: number;
  /** after a failure the disk is tried again, and its free space looked at, this often */
  readonly diskPauseMs: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** how long `stop` waits for the store; what it has not got by then stays in the log */
  readonly stopMs: number;
}

const MIB = 2 ** 20;

export const DEFAULT_LIMITS: IngestLimits = {
  // The Collector's limit for one HTTP request. SDKs send 512 spans at a time, half a megabyte.
  bodyBytes: 20 * MIB,
  decompressedBytes: 20 * MIB,
  inFlightBytes: 64 * MIB,
  inFlightRequests: 256,
  connections: 1024,
  // With 65,536 the engine spends 1.6 times as much on a row: five parts a block cost the same whatever their size.
  blockRows: 131_072,
  blockBytes: 64 * MIB,
  blockAgeMs: 1000,
  spanAgeMs: Number.POSITIVE_INFINITY,
  pointAgeMs: Number.POSITIVE_INFINITY,
  insertsInFlight: 2,
  blocksInMemory: 4,
  // One more is made ahead.
  segmentBytes: 16 * MIB,
  walBytes: 4096 * MIB,
  minFreeBytes: 256 * MIB,
  diskPauseMs: 250,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  // Exporters send every 5 to 60 s: a connection closed under one would be an error in its log.
  keepAliveTimeoutMs: 75_000,
  stopMs: 10_000,
};
