/** Lines that are looked at: enough to tell, few enough to be quick. */
const MAX_LINES = 40;

/** Command, process, maybe processor, maybe time, maybe period, and an event with a colon behind it. */
const PERF_HEADER = /^\S.*?\s+-?\d+(?:\/-?\d+)?\s+(?:\[\d+\]\s+)?(?:\S+\s+)?(?:\d+\.\d+:\s+)?(?:\d+\s+)?\S+:(?:\s|$)/;
const PERF_FRAME = /^\s+[\da-f]+ \S.*$/;
/** Without a call chain the frame stands on the line of its sample. */
const PERF_SAMPLE = /\s\d+\.\d+:\s.*\S+:\s+[\da-f]+ .+ \(.*\)\s*$/;

/**
 * Whether a text that begins with `prefix` is the output of `perf script` or folded stacks.
 * `whole`: the prefix is all of it.
 */
export function profileTextKind(
  prefix: Uint8Array,
  start: number,
  whole: boolean,
): "perf-script" | "folded" | undefined {
  const text = Buffer.from(prefix.subarray(start, start + 16 * 1024)).toString("utf8");
  const lines = text.split(/\r?\n/);
  // The last line may be cut.
  if (!whole || prefix.length - start > 16 * 1024) lines.pop();
  const wanted = lines.filter((line) => line.trim() !== "" && !line.startsWith("#")).slice(0, MAX_LINES);
  if (wanted.length === 0) return /^# cmdline : .*\bperf\b/m.test(text) ? "perf-script" : undefined;
  if (isPerfScript(wanted)) return "perf-script";
  return isFolded(wanted) ? "folded" : undefined;
}

function isPerfScript(lines: readonly string[]): boolean {
  const [first = "", second] = lines;
  if (PERF_SAMPLE.test(first)) return true;
  return PERF_HEADER.test(first) && second !== undefined && PERF_FRAME.test(second);
}

/** All lines alike, and one with a call in it; neither numbers with semicolons between nor metrics with labels nor a web page. */
function isFolded(lines: readonly string[]): boolean {
  if (/^<(?:!doctype|html|\?xml)/i.test(lines[0]!)) return false;
  if (!lines.some((line) => line.includes(";")) || lines.some((line) => /^\s|[\x00-\x08\ufffd]/.test(line)))
    return false;
  if (lines.some((line) => /^[a-zA-Z_:][\w:]*\{[^}]*="/.test(line))) return false;
  if (lines.every((line) => /\S [\d.]+\s*$/.test(line))) return true;
  return lines.every((line) => line.includes(";") && !/;\s*[-+\d.eE]*$/.test(line));
}
