/** The scenarios: what runs, how loaded, and what the fix changes. */

export interface System {
  /** Rows in `orders`; each has three rows in `order_items`. */
  orders: number;
  customers: number;
  /** Is there an index for "the orders of one customer"? */
  customerIndex: boolean;
  /** Does the list endpoint fetch the items of each order with its own query? */
  itemsPerOrder: boolean;
  /** `max` of the pg Pool in the orders service. */
  poolMax: number;
  /** Read data pages from the disk instead of from the operating system's page cache. */
  largerThanMemory: boolean;
}

export interface Recording {
  name: string;
  system: System;
  rate: number;
  seconds: number;
  seed: number;
  protocol: 'http/protobuf' | 'http/json';
  /** `current` is the newest SDK Node 20 can run; `old` still emits the old semantic conventions. */
  sdk: 'current' | 'old';
  /** `usual`: http, undici, express, pg. `most`: everything but fs, net, dns; then the router instrumentation speaks too. */
  instrumentations: 'usual' | 'most';
}

export type EndpointName = 'order' | 'list' | 'summary' | 'create';

export interface Scenario {
  name: string;
  mechanism: 'n-plus-one' | 'missing-index' | 'pool-exhausted' | 'none';
  /** The endpoint (root span) that suffers. */
  endpoint?: string;
  mix: Partial<Record<EndpointName, number>>;
  recordings: Recording[];
}

export const DATABASE = 'shop';

export const ENDPOINTS: Record<EndpointName, string> = {
  order: 'GET /api/orders/:id',
  list: 'GET /api/customers/:id/orders',
  summary: 'GET /api/customers/:id/summary',
  create: 'POST /api/orders',
};

const HEALTHY: System = {
  orders: 200_000,
  customers: 10_000,
  customerIndex: true,
  itemsPerOrder: false,
  poolMax: 10,
  largerThanMemory: false,
};

const usual: Scenario['mix'] = { order: 0.6, list: 0.3, create: 0.1 };

function recording(name: string, seed: number, rate: number, seconds: number, system: Partial<System>, more: Partial<Recording> = {}): Recording {
  return { name, seed, rate, seconds, system: { ...HEALTHY, ...system }, protocol: 'http/protobuf', sdk: 'current', instrumentations: 'usual', ...more };
}

export const SCENARIOS: Scenario[] = [
  {
    name: 'n-plus-one',
    mechanism: 'n-plus-one',
    endpoint: ENDPOINTS.list,
    mix: { order: 0.65, list: 0.2, create: 0.15 },
    recordings: [
      recording('fault', 11, 40, 66, { itemsPerOrder: true }),
      recording('fixed', 11, 40, 66, {}),
    ],
  },
  {
    name: 'missing-index',
    mechanism: 'missing-index',
    endpoint: ENDPOINTS.list,
    mix: usual,
    recordings: [
      recording('fault', 12, 35, 100, { orders: 400_000, customerIndex: false }),
      recording('fixed', 12, 35, 100, { orders: 400_000 }),
      recording('fault-json', 13, 35, 80, { orders: 400_000, customerIndex: false }, { protocol: 'http/json' }),
      recording('fault-old-conventions', 14, 35, 80, { orders: 400_000, customerIndex: false }, { sdk: 'old', instrumentations: 'most' }),
    ],
  },
  {
    name: 'small-pool',
    mechanism: 'pool-exhausted',
    endpoint: ENDPOINTS.order,
    mix: { order: 0.5, summary: 0.4, create: 0.1 },
    recordings: [
      recording('fault', 15, 60, 65, { customers: 1_000, poolMax: 2, largerThanMemory: true }),
      recording('fixed', 15, 60, 65, { customers: 1_000, poolMax: 10, largerThanMemory: true }),
    ],
  },
  {
    name: 'healthy',
    mechanism: 'none',
    mix: usual,
    recordings: [
      recording('calm', 16, 30, 90, {}, { instrumentations: 'most' }),
      recording('busy', 17, 60, 60, {}),
    ],
  },
];
