import { closeSync, fstatSync, readFileSync } from "node:fs";
import type { FunctionTicks } from "../../formats/line-ticks.ts";
import type { HotLines } from "../../model/flame-report.ts";
import { bootUnixNs } from "../counters/host-figures.ts";
import { pathInRoot } from "../path-in-root.ts";
import { openRegular } from "../regular-file.ts";
import { readProcess, type TargetProcess } from "../target-process.ts";

/** Functions whose lines are shown. */
const FUNCTIONS = 3;
/** Lines above and below the one with most samples. */
const AROUND = 3;
/** Sources that people write are smaller; what is larger was put together by a bundler. */
const MAX_BYTES = 2 << 20;
const MAX_COLUMNS = 200;
/** Fewer samples than this tell no line from its neighbours. */
const FEWEST = 20;
/** Of Linux's clock ticks, which USER_HZ fixes. */
const TICKS_PER_S = 100n;
const SOURCE = /\.[cm]?[jt]sx?$/;

/**
 * The lines around the hottest one of the functions with most samples, from the files that the profile names, as the process
 * sees them (/proc/PID/root). Nothing else is read: a name that leads to a file that is no source of JavaScript or TypeScript
 * is told and not opened. A file that changed after the process began has other lines, perhaps, which `remark` says.
 */
export function hotLines(functions: readonly FunctionTicks[], target: TargetProcess): HotLines[] {
  const all = functions.reduce((sum, { samples }) => sum + samples, 0);
  return functions
    .filter(({ samples }) => samples >= FEWEST)
    .slice(0, FUNCTIONS)
    .map((one) => linesOf(one, target, all));
}

function linesOf({ name, file, samples, lines }: FunctionTicks, target: TargetProcess, all: number): HotLines {
  const [hottest] = [...lines].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0]!;
  const from = Math.max(1, hottest - AROUND);
  const shareOf = (line: number): number => (lines.get(line) ?? 0) / samples;
  const found = { function: name, file, samples, share: samples / all };
  let source: { readonly texts: readonly string[]; readonly remark: string };
  try {
    source = readSource(file, target);
  } catch (error) {
    const remark = error instanceof Error ? error.message : String(error);
    return { ...found, lines: [{ line: hottest, share: shareOf(hottest), text: null }], remark };
  }
  const { texts, remark } = source;
  if (hottest > texts.length) {
    const gone = `${file} has ${texts.length} lines; it is another one than the process runs`;
    return { ...found, lines: [{ line: hottest, share: shareOf(hottest), text: null }], remark: gone };
  }
  const shown = texts.slice(from - 1, hottest + AROUND).map((text, i) => ({
    line: from + i,
    share: shareOf(from + i),
    text: text.slice(0, MAX_COLUMNS),
  }));
  return { ...found, lines: shown, remark };
}

function readSource(file: string, target: TargetProcess): { texts: string[]; remark: string } {
  const root = `/proc/${target.pid}/root`;
  // A name may be a link to anything.
  const real = pathInRoot(root, file);
  if (!SOURCE.test(file) || !SOURCE.test(real)) throw new Error(`${file}: no source of JavaScript or TypeScript`);
  const open = openAs(file, `${root}${real}`, target);
  try {
    const { size, mtimeMs } = fstatSync(open);
    if (size > MAX_BYTES) throw new Error(`${file}: ${size} bytes; at most ${MAX_BYTES} are read`);
    const isChanged = mtimeMs > startedMs(target);
    return {
      texts: readFileSync(open, "utf8").split("\n"),
      remark: isChanged ? `${file} was changed after the process began: its lines may be others` : "",
    };
  } finally {
    closeSync(open);
  }
}

/** Opens what the process calls `file`; what fails is told by that name. */
function openAs(file: string, path: string, target: TargetProcess): number {
  try {
    return openRegular(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const present = readProcess(target.pid);
    // A zombie has no files any more.
    if (present?.startTicks !== target.startTicks || /^[ZX]$/.test(present.state))
      throw new Error(`${file}: process ${target.pid} has ended, and its files cannot be seen any more`, {
        cause: error,
      });
    throw new Error(`${file}: ${code === "ENOENT" ? "not there" : (code ?? "no regular file")}`, { cause: error });
  }
}

/** Milliseconds since 1970, as far as a second: the time of boot is told in whole ones. */
function startedMs({ startTicks }: TargetProcess): number {
  const bootNs = bootUnixNs(readFileSync("/proc/stat", "latin1"));
  return Number((bootNs + ((BigInt(startTicks) + TICKS_PER_S) * 1_000_000_000n) / TICKS_PER_S) / 1_000_000n);
}
