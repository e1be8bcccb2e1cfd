import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { RecordError } from "./target-process.ts";

/** A line of `bpftrace -f json`. Histograms are totals since the beginning, as bpftrace keeps them. */
export type BpftraceLine =
  | { readonly type: "attached"; readonly probes: number }
  | { readonly type: "histogram"; readonly map: string; readonly rows: readonly KeyedBuckets[] }
  | {
      readonly type: "counts";
      readonly map: string;
      readonly rows: readonly { readonly key: string; readonly count: number }[];
    }
  | { readonly type: "text"; readonly text: string };

export interface KeyedBuckets {
  /** "" for a map without keys */
  readonly key: string;
  readonly buckets: readonly Bucket[];
}

/** [low, high), in the probe's unit. */
export interface Bucket {
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/** Reads one line; undefined for blank ones and for what is of no use here. Throws a SyntaxError for what is no JSON. */
export function readBpftraceLine(line: string): BpftraceLine | undefined {
  if (line.trim() === "") return undefined;
  const { type, data } = JSON.parse(line) as { type?: unknown; data?: unknown };
  if (type === "printf" && typeof data === "string") return { type: "text", text: data };
  if (!isObject(data)) return undefined;
  if (type === "attached_probes") return { type: "attached", probes: Number(data["probes"]) };
  const [map, held] = Object.entries(data)[0] ?? ["", undefined];
  if (type === "hist") return { type: "histogram", map, rows: keyedBuckets(held) };
  if (type !== "map") return undefined;
  const entries = isObject(held) ? Object.entries(held) : [["", held] as const];
  return { type: "counts", map, rows: entries.map(([key, count]) => ({ key, count: Number(count) })) };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function keyedBuckets(held: unknown): KeyedBuckets[] {
  if (Array.isArray(held)) return [{ key: "", buckets: bucketsOf(held) }];
  if (!isObject(held)) return [];
  return Object.entries(held).map(([key, rows]) => ({ key, buckets: Array.isArray(rows) ? bucketsOf(rows) : [] }));
}

/** Its edges are inclusive; the lowest bucket has no lower one, as it begins below zero. */
function bucketsOf(rows: readonly unknown[]): Bucket[] {
  return rows.filter(isObject).map(({ min, max, count }) => ({
    low: min === undefined ? 0 : Number(min),
    high: max === undefined ? Infinity : Number(max) + 1,
    count: Number(count),
  }));
}

export interface BpftraceRun {
  stop(): void;
  /** resolves when it has ended; rejects with a RecordError that holds its own words where it failed */
  readonly done: Promise<void>;
}

/** Time after which it is ended by force, beyond the one that its program ends itself. */
const GRACE_SECONDS = 45;

/**
 * Runs a bpftrace program and hands out its lines. Where tracefs is not mounted it is, for bpftrace alone, in a mount
 * namespace that goes with it. It ends with its program, with its parent, and by force some time later.
 */
export function runBpftrace(program: string, seconds: number, onLine: (line: BpftraceLine) => void): BpftraceRun {
  const own = ["bpftrace", "-f", "json", "-e", program];
  const bounded = ["timeout", "-k", "5", String(seconds + GRACE_SECONDS), ...own];
  const hasTracefs = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"].some((path) => existsSync(`${path}/events`));
  const mount = 'mount -t tracefs nodev /sys/kernel/tracing && exec "$@"';
  const words = hasTracefs ? bounded : ["unshare", "-m", "sh", "-c", mount, "sh", ...bounded];
  const withParent = spawnSync("setpriv", ["--pdeathsig", "TERM", "true"]).status === 0;
  const all = withParent ? ["setpriv", "--pdeathsig", "TERM", ...words] : words;
  // Without its own symbols of user space, which take minutes.
  const env = { ...process.env, BPFTRACE_NO_USER_SYMBOLS: "1" };
  const child = spawn(all[0]!, all.slice(1), { stdio: ["ignore", "pipe", "pipe"], env });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text));
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const read = readLine(line);
      if (read !== undefined) onLine(read);
    }
  });
  const done = new Promise<void>((resolve, reject) => {
    child.once("error", (error) => reject(new RecordError(`bpftrace cannot be started: ${error.message}`)));
    child.once("close", (code, signal) => {
      const said = complaint
        .split("\n")
        .filter((line) => line !== "" && !/RLIMIT_MEMLOCK|Could not read symbols/.test(line))
        .join(" ");
      if (code === 0 || signal === "SIGINT" || signal === "SIGTERM") resolve();
      else reject(new RecordError(`bpftrace ended with ${signal ?? `code ${code}`}${said === "" ? "" : `: ${said}`}`));
    });
  });
  return { stop: () => void child.kill("SIGINT"), done };
}

/** A program's own output may be anything. */
function readLine(line: string): BpftraceLine | undefined {
  try {
    return readBpftraceLine(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { type: "text", text: `${line}\n` };
  }
}
