import { stackedBar, texture } from "./bar.ts";
import { clipMiddle, columns, padEnd, padStart } from "./layout.ts";
import { duration, percent, plural } from "./numbers.ts";
import { penFor, type Look } from "./pen.ts";
import { finish } from "./frame.ts";
import { safeTexts } from "./safe-text.ts";
import { timeKindWords } from "./time-kind-words.ts";

/** A trace's critical path as far as it is drawn. */
export interface DrawnPath {
  readonly traceId: string;
  readonly durationNs: number;
  readonly complete: boolean;
  readonly segments: readonly {
    readonly service: string;
    readonly operation: string;
    readonly startUnixNs: string;
    readonly endUnixNs: string;
    readonly timeKind: string;
  }[];
}

/** One line per (service, operation) on the path, most time first; the rest is summed. */
const ROWS = 8;

/** What is one line of the list, and one texture of the bar. */
const keyOf = ({ service, operation, timeKind }: DrawnPath["segments"][number]): string =>
  JSON.stringify([service, operation, timeKind]);

/** The path as a bar in the order of time, and below it what it consists of. */
export function renderCriticalPath(path: DrawnPath, look: Look): string[] {
  const pen = penFor({ ...look, width: Math.max(60, look.width) });
  const { width } = pen.look;
  const segments = safeTexts(path.segments);
  const ms = segments.map((segment) => Number(BigInt(segment.endUnixNs) - BigInt(segment.startUnixNs)) / 1e6);
  const totals = new Map<string, { name: string; timeKind: string; ms: number; segments: number }>();
  for (const [i, segment] of segments.entries()) {
    const name = `${segment.service} › ${segment.operation}`;
    const key = keyOf(segment);
    const held = totals.get(key) ?? { name, timeKind: segment.timeKind, ms: 0, segments: 0 };
    totals.set(key, { ...held, ms: held.ms + ms[i]!, segments: held.segments + 1 });
  }
  const sorted = [...totals.entries()].sort(([, a], [, b]) => b.ms - a.ms);
  const rank = new Map(sorted.map(([key], i) => [key, i]));
  const total = path.durationNs / 1e6;
  const head = `${pen.strong(padStart(duration(total), 8))}  ${path.traceId}${path.complete ? "" : pen.worse("  spans are missing")}`;
  const lines = [
    head,
    `  ${stackedBar(
      segments.map((s, i) => ({ value: ms[i]!, timeKind: s.timeKind, texture: rank.get(keyOf(s))! })),
      width - 4,
      pen,
    )}`,
  ];
  for (const [i, [, row]] of sorted.slice(0, ROWS).entries()) {
    const times = row.segments === 1 ? "" : `${row.segments}×`;
    const words = timeKindWords(row.timeKind);
    const right = `${padStart(times, 6)} ${padStart(duration(row.ms), 8)} ${padStart(percent(total > 0 ? row.ms / total : 0), 7)}`;
    const room = width - 4 - columns(right) - columns(words) - 3;
    const name = clipMiddle(row.name, room);
    const kind = pen.kind(row.timeKind, words);
    lines.push(
      `  ${pen.kind(row.timeKind, texture(i, pen))} ${padEnd(`${name} ${kind}`, room + 1 + columns(words))} ${right}`,
    );
  }
  if (sorted.length > ROWS) {
    const rest = sorted.slice(ROWS).reduce((sum, [, row]) => sum + row.ms, 0);
    lines.push(pen.faint(`    and ${plural(sorted.length - ROWS, "smaller part")}, ${duration(rest)} in all`));
  }
  return finish([...lines, ""], look);
}
