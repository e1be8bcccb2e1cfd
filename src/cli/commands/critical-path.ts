import { criticalPaths } from "../../analysis/critical-path.ts";
import { describeSpans } from "../../analysis/span-facts.ts";
import { spanTimeKinds } from "../../analysis/time-kinds.ts";
import { assembleTraces } from "../../analysis/trace-assembly.ts";
import type { SegmentTable } from "../../model/segments.ts";
import { spanIdHex, traceIdHex } from "../../model/span-table.ts";
import { TIME_KINDS, type TimeKind } from "../../model/time-kind.ts";
import type { TraceForest } from "../../model/trace-forest.ts";
import { EXIT } from "../exit-code.ts";
import { renderCriticalPath } from "../render/critical-path.ts";
import { plural } from "../render/numbers.ts";
import { lookOf, type LookOptions, type Terminal } from "../terminal.ts";
import { withInputs } from "../with-inputs.ts";

export interface CriticalPathCommandOptions extends LookOptions {
  readonly rule: "longpole" | "jaeger";
  /** traces to print */
  readonly limit?: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** One line of `longpole critical-path --json`; segments in the order of time. */
export interface TracePath {
  readonly traceId: string;
  readonly durationNs: number;
  /** false when spans of the trace are missing */
  readonly complete: boolean;
  readonly segments: readonly PathSegment[];
}

export interface PathSegment {
  readonly spanId: string;
  readonly service: string;
  readonly operation: string;
  /** nanoseconds since 1970 as decimal text: they do not fit a JSON number */
  readonly startUnixNs: string;
  readonly endUnixNs: string;
  readonly timeKind: TimeKind;
}

/** Traces drawn where nothing else is asked for: more than that nobody reads on a screen. */
const DRAWN = 10;

/** Traces between two looks at the signal and the reader of the output. */
const BATCH = 500;
/** Characters that are written at once: a batch of huge traces is longer than a string can be. */
const PIECE = 1 << 20;

/** `longpole critical-path`: recordings → the critical path of each trace, slowest first in text, as read in JSON. */
export function printCriticalPaths(
  files: readonly string[],
  options: CriticalPathCommandOptions,
  terminal: Terminal,
): Promise<number> {
  return withInputs(options.quiet === true, terminal, async ({ read, progress, signal }) => {
    const { spans, intake } = await read(files);
    const forest = assembleTraces(spans, describeSpans(spans));
    const segments = criticalPaths(forest, { rule: options.rule });
    const kinds = spanTimeKinds(forest);
    const look = lookOf(options, terminal);
    const all = options.json === true ? asRead(forest) : slowestFirst(forest);
    const order = all.subarray(0, options.limit ?? (options.json === true ? Infinity : DRAWN));
    for (let from = 0; from < order.length && !signal.aborted; from += BATCH) {
      let text = "";
      progress.clear();
      for (const trace of order.subarray(from, from + BATCH)) {
        const path = tracePath(forest, segments, kinds, trace);
        text += `${options.json === true ? JSON.stringify(path) : renderCriticalPath(path, look).join("\n")}\n`;
        if (text.length < PIECE) continue;
        terminal.out(text);
        text = "";
      }
      terminal.out(text);
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (options.json !== true && all.length > order.length) {
      const left = plural(all.length - order.length, "faster trace");
      terminal.out(`${left}: --limit ${all.length} draws them, --json prints every one.\n`);
    }
    if (intake.errors.length > 0) return EXIT.unusable;
    return forest.traceCount === 0 ? EXIT.insufficientData : EXIT.ok;
  });
}

const asRead = (forest: TraceForest): Int32Array => Int32Array.from({ length: forest.traceCount }, (_, trace) => trace);

function slowestFirst(forest: TraceForest): Int32Array {
  const duration = (trace: number): number => forest.endNs[forest.root[trace]!]! - forest.startNs[forest.root[trace]!]!;
  return asRead(forest).sort((a, b) => duration(b) - duration(a) || a - b);
}

function tracePath(forest: TraceForest, table: SegmentTable, kinds: Uint8Array, trace: number): TracePath {
  const { spans, facts } = forest;
  const root = forest.root[trace]!;
  const unixNs = (offset: number): string => String(spans.baseUnixNs + BigInt(Math.round(offset)));
  const segments: PathSegment[] = [];
  for (let i = table.traceStart[trace]!; i < table.traceStart[trace + 1]!; i++) {
    const row = table.row[i]!;
    segments.push({
      spanId: spanIdHex(spans, row),
      service: spans.strings.get(facts.service[row]!),
      operation: spans.strings.get(facts.operation[row]!),
      startUnixNs: unixNs(table.startNs[i]!),
      endUnixNs: unixNs(table.endNs[i]!),
      timeKind: TIME_KINDS[kinds[row]!]!,
    });
  }
  return {
    traceId: traceIdHex(spans, root),
    durationNs: Math.round(forest.endNs[root]! - forest.startNs[root]!),
    complete: forest.complete[trace] === 1,
    segments,
  };
}
