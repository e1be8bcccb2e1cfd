import { gzipSync } from "node:zlib";
import { inspectNode } from "../../agent/inspector/node-inspector.ts";
import { hotLines } from "../../agent/inspector/source-lines.ts";
import type { TargetProcess } from "../../agent/target-process.ts";
import { flameReport } from "../../engine/flame.ts";
import { flameTree } from "../../engine/flame-tree.ts";
import { decodeCpuProfile } from "../../formats/cpuprofile.ts";
import { readLineTicks } from "../../formats/line-ticks.ts";
import { foldedText } from "../../formats/write-folded.ts";
import { writePprof } from "../../formats/write-pprof.ts";
import { Intake } from "../../model/intake.ts";
import { PROFILES_SCHEMA } from "../../model/profiles-page.ts";
import type { StackTable } from "../../model/stack-table.ts";
import { writePage } from "../../web/page-html.ts";
import { EXIT } from "../exit-code.ts";
import { jsonDocument } from "../json-document.ts";
import { packageJson } from "../package-json.ts";
import { renderFlame } from "../render/flame.ts";
import { safeText } from "../render/safe-text.ts";
import { lookOf, type LookOptions, type Terminal } from "../terminal.ts";

/** Options of `record` that go with `--inspect`. */
export interface InspectedOptions extends LookOptions {
  readonly seconds: number;
  readonly hz: number;
  readonly html?: string;
  readonly folded?: boolean;
  readonly pprof?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/**
 * `longpole record -p PID --inspect`: the main thread of a Node.js process by V8's own profiler, with the functions and lines
 * of its sources, as `longpole flame` shows profiles.
 */
export async function recordInspected(
  target: TargetProcess,
  options: InspectedOptions,
  terminal: Terminal,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<number> {
  const { cpuProfile, startUnixNs, remarks } = await inspectNode(target, { ...options, signal });
  for (const remark of remarks) say(remark);
  const name = `${target.name} (process ${target.pid})`;
  const intake = new Intake();
  const stacks = ofProcess(decodeCpuProfile(cpuProfile, intake, name), target, startUnixNs);
  for (const error of intake.errors) say(error.message);
  const value = stacks.defaultValue;
  const hot = hotLines(readLineTicks(cpuProfile), target);
  if (options.html !== undefined) {
    const trees = [flameTree(stacks, value, name)];
    const producer = packageJson().version;
    await writePage(options.html, { schema: PROFILES_SCHEMA, producer, title: name, trees, hotLines: hot });
    if (options.quiet !== true) terminal.err(`longpole: wrote ${safeText(options.html)}\n`);
  }
  if (options.folded === true) for (const piece of foldedText(stacks, { value })) terminal.out(piece);
  else if (options.pprof === true) terminal.out(gzipSync(writePprof(stacks)));
  else {
    const report = { ...flameReport(stacks, value), hotLines: hot };
    if (options.json === true) for (const piece of jsonDocument(report)) terminal.out(piece);
    else terminal.out(`${renderFlame(report, [name], undefined, lookOf(options, terminal)).join("\n")}\n`);
  }
  return stacks.samples.rowCount === 0 ? EXIT.insufficientData : EXIT.ok;
}

/** What a .cpuprofile does not tell: whose it is, and when it began. */
function ofProcess(stacks: StackTable, { pid, name }: TargetProcess, startUnixNs: bigint): StackTable {
  const { processes, strings } = stacks;
  const n = processes.rowCount;
  return {
    ...stacks,
    processes: {
      ...processes,
      name: new Int32Array(n).fill(strings.intern(name)),
      pid: new Int32Array(n).fill(pid),
      startUnixNs: new BigInt64Array(n).fill(startUnixNs),
    },
  };
}
