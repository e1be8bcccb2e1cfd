/**
 * Open-loop load: requests leave at Poisson times whatever happens to earlier ones, and a request's
 * latency counts from the moment it was meant to leave (no coordinated omission).
 */
import { Agent, request } from 'node:http';
import { ENDPOINTS, type EndpointName } from './scenarios.js';

const { url, rate, seconds, seed, mix, orders, customers } = JSON.parse(process.env.LOAD!) as {
  url: string; rate: number; seconds: number; seed: number; mix: Partial<Record<EndpointName, number>>; orders: number; customers: number;
};

let state = seed >>> 0;
function random(): number {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (n: number): number => 1 + Math.floor(random() * n);

interface Call { due: number; endpoint: EndpointName; method: string; path: string; body?: string }

function plan(): Call[] {
  const calls: Call[] = [];
  const names = Object.keys(mix) as EndpointName[];
  for (let due = 0; ; ) {
    due += (-Math.log(1 - random()) / rate) * 1000;
    if (due > seconds * 1000) return calls;
    let pick = random();
    const endpoint = names.find((name) => (pick -= mix[name]!) < 0) ?? names[0]!;
    if (endpoint === 'order') calls.push({ due, endpoint, method: 'GET', path: `/api/orders/${below(orders)}` });
    else if (endpoint === 'list') calls.push({ due, endpoint, method: 'GET', path: `/api/customers/${below(customers)}/orders` });
    else if (endpoint === 'summary') calls.push({ due, endpoint, method: 'GET', path: `/api/customers/${below(customers)}/summary` });
    else {
      const items = Array.from({ length: below(4) }, () => ({ productId: below(1000), quantity: below(3) }));
      calls.push({ due, endpoint, method: 'POST', path: '/api/orders', body: JSON.stringify({ customerId: below(customers), items }) });
    }
  }
}

const agent = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 1024 });
const latencies = new Map<EndpointName, number[]>();
let errors = 0;
let completed = 0;

function send(call: Call, start: number): Promise<void> {
  return new Promise((resolve) => {
    const failed = (): void => { errors++; resolve(); };
    const headers = call.body ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(call.body) } : {};
    const outgoing = request(url + call.path, { method: call.method, agent, headers, timeout: 30_000 }, (response) => {
      response.on('error', failed).on('end', () => {
        if (response.statusCode! >= 400) return failed();
        const list = latencies.get(call.endpoint) ?? [];
        latencies.set(call.endpoint, list);
        list.push(performance.now() - start - call.due);
        completed++;
        resolve();
      });
      response.resume();
    });
    outgoing.on('timeout', () => outgoing.destroy()).on('error', failed).end(call.body);
  });
}

async function main(): Promise<void> {
  const calls = plan();
  const pending: Promise<void>[] = [];
  const startedAt = new Date().toISOString();
  const start = performance.now();
  for (const call of calls) {
    const wait = call.due - (performance.now() - start);
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    pending.push(send(call, start));
  }
  await Promise.all(pending);
  const round = (ms: number): number => Math.round(ms * 100) / 100;
  const endpoints = Object.fromEntries([...latencies].map(([name, list]) => {
    list.sort((a, b) => a - b);
    const at = (q: number): number => round(list[Math.max(0, Math.ceil(q * list.length) - 1)]!);
    return [ENDPOINTS[name], { completed: list.length, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) }];
  }));
  process.send?.({ startedAt, seed, offeredPerSecond: rate, durationSeconds: seconds, sent: calls.length, completed, errors, endpoints });
  agent.destroy();
  process.disconnect?.();
}

process.once('disconnect', () => process.exit(0));
void main();
