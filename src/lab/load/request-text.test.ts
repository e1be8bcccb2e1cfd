import { expect, test } from "vitest";
import { drawRequests, ENDPOINT_NAMES } from "./draw-requests.ts";
import { USUAL_LOAD, type EndpointName, type LoadPlan } from "./load-plan.ts";
import { requestWriter, type LabRequest } from "./request-text.ts";

const NOW = 1_800_000_000_000;

function texts(endpoint: EndpointName, change: Partial<LoadPlan> = {}): LabRequest[] {
  const plan: LoadPlan = { ...USUAL_LOAD, perSecond: 400, seconds: 10, mix: { [endpoint]: 1 }, ...change };
  const requests = drawRequests(plan);
  const write = requestWriter(requests, { records: 1000, pointsPerBatch: plan.pointsPerBatch, seed: plan.seed });
  return Array.from({ length: requests.count }, (_, row) => write(row, NOW));
}

/** The numbers that `pattern` finds in the paths, which all have to match. */
function numbersOf(all: readonly LabRequest[], pattern: RegExp): number[] {
  return all.map(({ path }) => {
    const found = pattern.exec(path)?.[1];
    if (found === undefined) throw new Error(`${path} does not match ${pattern}`);
    return Number(found);
  });
}

test("lookups ask for existing records evenly, and for others where they are to be missing", () => {
  const n = numbersOf(texts("lookup", { missing: 0 }), /^\/api\/records\/host-(\d+)\.example$/);
  expect(Math.min(...n)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...n)).toBeLessThan(1000);
  // Mean of 4,000 even draws: 499.5 with a standard deviation of 288.7 / root 4,000 = 4.6.
  expect(Math.abs(n.reduce((sum, one) => sum + one, 0) / n.length - 499.5)).toBeLessThan(4 * 4.6);
  numbersOf(texts("lookup", { missing: 1 }), /^\/api\/records\/missing-(\d+)\.example$/);
});

test.each([
  { endpoint: "list", ids: 5000, pattern: /^\/api\/zones\/(\d+)\/records$/ },
  { endpoint: "create", ids: 5000, pattern: /^\/api\/zones\/(\d+)\/records$/ },
  { endpoint: "overview", ids: 2000, pattern: /^\/api\/accounts\/(\d+)\/overview$/ },
] as const)("$endpoint has popular ids among $ids", ({ endpoint, ids, pattern }) => {
  const found = numbersOf(texts(endpoint), pattern);
  expect(Math.min(...found)).toBeGreaterThanOrEqual(1);
  expect(Math.max(...found)).toBeLessThanOrEqual(ids);
  // Shares of the first and the second: 1 and 2^-0.9 of the sum of k^-0.9.
  const sum = Array.from({ length: ids }, (_, k) => (k + 1) ** -0.9).reduce((total, share) => total + share, 0);
  for (const [id, share] of [
    [1, 1 / sum],
    [1 + (7919 % ids), 2 ** -0.9 / sum],
  ] as const) {
    const count = found.filter((one) => one === id).length;
    expect(Math.abs(count - found.length * share)).toBeLessThan(4 * Math.sqrt(found.length * share));
  }
});

test("creates carry a new record each", () => {
  const all = texts("create", { seconds: 1 });
  const records = all.map(({ body }) => JSON.parse(body!) as Record<string, unknown>);
  expect(new Set(records.map(({ name }) => name)).size).toBe(all.length);
  expect(all[0]).toMatchObject({ method: "POST", headers: { "content-type": "application/json" } });
  expect(records[0]).toEqual({
    name: "new-1-0.example",
    type: "A",
    content: expect.stringMatching(/^10(\.\d{1,3}){3}$/) as string,
    ttl: 300,
  });
});

test("points are lines of metric, tags, value and time", () => {
  const [first, second] = texts("points", { seconds: 1, pointsPerBatch: 50 });
  expect(first).toMatchObject({ method: "POST", path: "/api/points", headers: { "content-type": "text/plain" } });
  const lines = first!.body!.trimEnd().split("\n");
  expect(lines).toHaveLength(50);
  for (const line of lines) {
    expect(line).toMatch(/^[a-z.]+,host=h\d+,region=(eu|us|ap) \d+(\.\d\d)? \d{13}$/);
    const at = Number(line.split(" ")[2]);
    expect(at).toBeGreaterThan(NOW - 10_000);
    expect(at).toBeLessThanOrEqual(NOW);
  }
  expect(second!.body).not.toBe(first!.body);
});

test("every endpoint has a text", () => {
  for (const name of ENDPOINT_NAMES) expect(texts(name, { seconds: 1 })[0]!.path).toMatch(/^\/api\//);
});
