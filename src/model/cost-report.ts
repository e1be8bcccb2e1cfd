/** What the requests of an endpoint, and of a tenant where an attribute names them, use in all services that they reach. */
export interface CostRow {
  readonly endpoint: { readonly service: string; readonly operation: string };
  /** value of `tenantAttribute`; both absent where no attribute tells tenants apart, `tenant` where a request names none */
  readonly tenant?: string;
  readonly tenantAttribute?: string;
  readonly requestsPerSecond: number;
  /** of all processes whose CPU was measured; absent where none was */
  readonly cpuSecondsPerSecond?: number;
  readonly cpuMsPerRequest?: number;
  /** time of calls of databases: connections in use, whether the database computes or waits */
  readonly dbSecondsPerSecond: number;
  readonly dbMsPerRequest: number;
  /** bodies of requests, answers and messages, counted at each hop; absent where no span tells sizes */
  readonly bytesPerSecond?: number;
  readonly bytesPerRequest?: number;
  /** of all CPU that was measured, what is unattributed included; of the database time where no CPU was */
  readonly share: number;
  /** 90 % interval of `share` over stretches of the window */
  readonly low: number;
  readonly high: number;
}

export interface CostTotals {
  /** what `CostRow.share` is a share of */
  readonly of: "cpu" | "database";
  readonly cpuSecondsPerSecond?: number;
  readonly dbSecondsPerSecond: number;
  readonly bytesPerSecond?: number;
  /** measured, but caused by no request that was recorded */
  readonly unattributed: readonly UnattributedCost[];
  /** services at work whose CPU no metric tells */
  readonly notMeasured: readonly string[];
  /** what a point, a message or a row costs, where an attribute or a counter counts them; absent where none does */
  readonly perUnit?: readonly UnitCost[];
}

/** All the CPU of a service over the units of work that it handled. */
export interface UnitCost {
  readonly service: string;
  /** the attribute or the counter that tells them */
  readonly unit: string;
  readonly perSecond: number;
  /** CPU-seconds for 1,000 of them, with a 90 % interval */
  readonly cpuSecondsPerThousand: number;
  readonly low: number;
  readonly high: number;
}

export interface UnattributedCost {
  readonly service: string;
  readonly resource: "cpu" | "database" | "bytes";
  /** seconds or bytes */
  readonly perSecond: number;
  /** of the total of that resource */
  readonly share: number;
  readonly why: string;
}
