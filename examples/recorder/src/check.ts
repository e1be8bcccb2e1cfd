/** Decodes recordings and says what is in them: counts, completeness, names, a sample trace. */
import { basename } from 'node:path';
import { readSpans, percentiles, type Span } from './traces.js';

export function check(file: string, completed?: number): void {
  const spans = readSpans(file);
  const traces = new Map<string, Span[]>();
  for (const span of spans) traces.set(span.traceId, [...(traces.get(span.traceId) ?? []), span]);
  let orphans = 0;
  let late = 0;
  let errors = 0;
  let notOneRoot = 0;
  const ids = new Set<string>();
  for (const list of traces.values()) {
    const byId = new Map(list.map((span) => [span.spanId, span]));
    if (list.filter((span) => !span.parentId).length !== 1) notOneRoot++;
    for (const span of list) {
      ids.add(span.traceId + span.spanId);
      if (span.status === 2) errors++;
      if (!span.parentId) continue;
      const parent = byId.get(span.parentId);
      if (!parent) orphans++;
      else if (span.end > parent.end + 0.05) late++;
    }
  }
  console.log(`  ${basename(file)}: ${spans.length} spans, ${traces.size} traces${completed === undefined ? '' : ` for ${completed} requests`}; ` +
    `parents missing ${orphans}, traces without exactly one root ${notOneRoot}, duplicate spans ${spans.length - ids.size}, errors ${errors}, ending after their parent ${late}`);
  const groups = new Map<string, number[]>();
  for (const span of spans) {
    const key = `${span.parentId ? '' : 'root '}${span.service} ${span.kind} ${span.name}`;
    groups.set(key, [...(groups.get(key) ?? []), span.end - span.start]);
  }
  for (const [key, list] of [...groups].sort()) {
    const p = percentiles(list);
    console.log(`    ${key}: n ${p.count}, mean ${p.meanMs}, p50 ${p.p50Ms}, p95 ${p.p95Ms}, p99 ${p.p99Ms} ms`);
  }
}

/** The trace of an endpoint whose duration is at the given quantile, as a tree. */
export function sample(file: string, endpoint: string, quantile: number, withAttributes: boolean): void {
  const spans = readSpans(file);
  const roots = spans.filter((span) => !span.parentId && span.name === endpoint).sort((a, b) => a.end - a.start - (b.end - b.start));
  const root = roots[Math.floor(quantile * (roots.length - 1))]!;
  const trace = spans.filter((span) => span.traceId === root.traceId).sort((a, b) => a.start - b.start);
  const print = (span: Span, depth: number): void => {
    const at = (span.start - root.start).toFixed(2).padStart(8);
    console.log(`${at} +${(span.end - span.start).toFixed(2).padEnd(7)} ${'  '.repeat(depth)}[${span.service}] ${span.kind} ${span.name}`);
    if (withAttributes) console.log(`${' '.repeat(20 + 2 * depth)}${span.scope} ${JSON.stringify(span.attributes)}`);
    for (const child of trace.filter((other) => other.parentId === span.spanId)) print(child, depth + 1);
  };
  print(root, 0);
  if (withAttributes) console.log('resource', JSON.stringify(root.resource));
}

if (require.main === module) {
  const [file, endpoint, quantile = '0.5', attributes] = process.argv.slice(2);
  if (!file) throw new Error('give a recording, and optionally an endpoint, a quantile, and "attributes"');
  if (endpoint) sample(file, endpoint, Number(quantile), attributes === 'attributes');
  else check(file);
}
