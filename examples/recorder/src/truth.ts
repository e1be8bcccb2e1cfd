/** Writes truth.json: what is wrong in a scenario, and what its recordings measured before and after the fix. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DATABASE, ENDPOINTS, SCENARIOS, type Scenario } from './scenarios.js';
import { percentiles, readSpans, type Span } from './traces.js';

const text = (span: Span): string => String(span.attributes['db.query.text'] ?? span.attributes['db.statement'] ?? '');
const QUERY = `pg.query:SELECT ${DATABASE}`;

export function writeTruth(scenario: Scenario, folder: string): void {
  const recordings = new Map<string, Span[]>();
  for (const { name } of scenario.recordings) {
    if (!existsSync(join(folder, name))) continue;
    const file = readdirSync(join(folder, name)).find((entry) => entry.startsWith('traces.'))!;
    recordings.set(name, readSpans(join(folder, name, file)));
  }
  const endpoint = scenario.endpoint ?? ENDPOINTS.order;
  const measure = (pick: (span: Span) => boolean): Record<string, ReturnType<typeof percentiles>> =>
    Object.fromEntries([...recordings].map(([name, spans]) =>
      [name, percentiles(spans.filter(pick).map((span) => span.end - span.start))]));
  const root = (operation: string) => (span: Span): boolean => !span.parentId && span.service === 'gateway' && span.name === operation;

  const operations = [...new Set([...recordings.values()].flat().filter((span) => !span.parentId).map((span) => span.name))].sort();
  const common = {
    scenario: scenario.name,
    endpoint: { service: 'gateway', operation: endpoint },
  };
  const measured = {
    measured: measure(root(endpoint)),
    otherEndpoints: Object.fromEntries(operations.filter((name) => name !== endpoint).map((name) => [name, measure(root(name))])),
  };
  let truth: Record<string, unknown>;
  if (scenario.mechanism === 'n-plus-one') {
    // The statement repeated most within a trace of the endpoint.
    const spans = recordings.get('fault') ?? [];
    const traces = new Set(spans.filter(root(endpoint)).map((span) => span.traceId));
    const queries = spans.filter((span) => traces.has(span.traceId) && span.name === QUERY);
    const counts = new Map<string, number>();
    for (const query of queries) counts.set(text(query), (counts.get(text(query)) ?? 0) + 1);
    const [statement, count] = [...counts].sort((a, b) => b[1] - a[1])[0]!;
    truth = {
      ...common, service: 'orders', mechanism: scenario.mechanism, statement, resource: QUERY,
      callsPerRequest: Math.round((count / traces.size) * 10) / 10,
      whatIf: `service=orders,operation=${QUERY},batch`, ...measured,
    };
  } else if (scenario.mechanism === 'missing-index') {
    const isScan = (span: Span): boolean => span.name === QUERY && /WHERE customer_id = \$1/.test(text(span));
    const statementMs = measure(isScan);
    const statement = text([...recordings.values()].flat().find(isScan)!);
    const factor = statementMs.fault && statementMs.fixed ? statementMs.fixed.meanMs / statementMs.fault.meanMs : NaN;
    truth = {
      ...common, service: DATABASE, mechanism: scenario.mechanism, statement, resource: QUERY,
      whatIf: `service=orders,operation=${QUERY},time=${factor.toFixed(3)}`, ...measured, statementMs,
    };
  } else if (scenario.mechanism === 'pool-exhausted') {
    truth = {
      ...common, service: 'orders', mechanism: scenario.mechanism, resource: 'pg-pool.connect',
      whatIf: 'service=orders,operation=pg-pool.connect,remove', ...measured,
      poolWaitMs: measure((span) => span.name === 'pg-pool.connect'), queryMs: measure((span) => span.name === QUERY),
    };
  } else {
    truth = { ...common, mechanism: scenario.mechanism, ...measured, poolWaitMs: measure((span) => span.name === 'pg-pool.connect') };
  }
  writeFileSync(join(folder, 'truth.json'), JSON.stringify(truth, null, 2) + '\n');
}

if (require.main === module) {
  for (const scenario of SCENARIOS) writeTruth(scenario, join(__dirname, '..', '..', scenario.name));
}
