// `npm run check` and, with --all, what `npm test` runs after its set-up: every
// check one after the other, quiet where it passes, with what it said where it
// fails. The others still run after one has failed, so that the counts are whole.
// --long is --all with more seeds and larger data (src/testing/long-tests.ts).
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { findStaleDocs } from "./check-docs.ts";
import { findViolations } from "./check-imports.ts";

const ROOT: string = resolve(import.meta.dirname, "..");
const RESULTS: string = join(ROOT, "dist", "test-results");

interface Check {
  readonly name: string;
  /** What is wrong, as text to show; undefined when nothing is. */
  run(): string | undefined;
}

const CHECKS: readonly Check[] = [
  { name: "build and types", run: () => command("tsc", ["-b"]) },
  // Where it cannot be built, the tests of `record` check what is said and done instead.
  { name: "native helper", run: () => node(["scripts/build-native.mjs", "--optional"]) },
  { name: "web UI", run: () => command("vite", ["build", "--logLevel", "warn"]) },
  { name: "lint", run: () => command("oxlint", ["--type-aware", "--deny-warnings"]) },
  { name: "format", run: () => command("oxfmt", ["--check"]) },
  { name: "imports", run: () => list(findViolations(ROOT).map((v) => `${v.file}:${v.line} ${v.rule}: ${v.message}`)) },
  { name: "dead code", run: () => command("knip", []) },
  { name: "docs", run: () => list(findStaleDocs(ROOT)) },
];

/**
 * Files that take half of the processor time of all unit tests: laws on many systems, the simulator, statistics on large
 * samples, the real ClickHouse. `npm run check` leaves them out, so that it is run always; `npm test` and `npm run test:long` do not.
 */
const SLOW: readonly string[] = [
  "src/testing/{accuracy,simulator}/**",
  "src/**/*.{laws,accuracy}.test.ts",
  "src/analysis/{bootstrap,change-points,concurrency-limit,critical-path,histogram-modes,power-growth,replay-programs}.test.ts",
  "src/cli/render/report.test.ts",
  "src/engine/{change-in-window,compare,quantile-change}.test.ts",
  "src/engine/{code/code-claims,ledger/endpoint-ledger,regression/explain-regressions}.test.ts",
  "src/engine/throughput/throughput.test.ts",
  "src/formats/write-otlp-json.test.ts",
  "src/ingest/{disk-trouble,hostile-senders,row-pool}.test.ts",
  "src/lab/load/run-load.test.ts",
  "src/load/{send-open-loop,step-generator}.test.ts",
  "src/server/live/{analyst,record-history}.test.ts",
  "src/store/{cluster,history,metric-store,span-store,embedded/engine}.test.ts",
];

const UNIT: Check = {
  name: "unit tests, but for slow ones",
  run: () => vitest("unit", ["src", "scripts", ...SLOW.map((pattern) => `--exclude=${pattern}`)]),
};

const ALL_UNIT: Check = { name: "unit tests", run: () => vitest("unit", ["src", "scripts"]) };

// One file at a time, and a second try, which is said: some of them measure.
const END_TO_END: Check = {
  name: "end-to-end tests",
  run: () => vitest("e2e", ["e2e", "--no-file-parallelism", "--retry=1", "--reporter=./scripts/second-tries.ts"]),
};

function command(name: string, args: readonly string[]): string | undefined {
  const bin = join(ROOT, "node_modules", ".bin", process.platform === "win32" ? `${name}.cmd` : name);
  const done = spawnSync(bin, args, { cwd: ROOT, encoding: "utf8", shell: process.platform === "win32" });
  if (done.status === 0) {
    for (const line of done.stdout.split("\n")) if (line.startsWith("passed at a further try: ")) console.log(line);
    return undefined;
  }
  return `${done.stdout ?? ""}${done.stderr ?? ""}${done.error?.message ?? ""}` || `exit code ${done.status}`;
}

function node(args: readonly string[]): string | undefined {
  const done = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8" });
  if (done.status === 0) {
    process.stderr.write(done.stderr);
    return undefined;
  }
  return `${done.stdout}${done.stderr}${done.error?.message ?? ""}` || `exit code ${done.status}`;
}

/** The JSON beside the usual output is what scripts/test-count.mjs reads. */
function vitest(name: string, folders: readonly string[]): string | undefined {
  const output = `--outputFile.json=${join(RESULTS, `${name}.json`)}`;
  return command("vitest", ["run", ...folders, "--reporter=dot", "--reporter=json", output]);
}

function list(lines: readonly string[]): string | undefined {
  return lines.length === 0 ? undefined : lines.join("\n");
}

function main(): void {
  rmSync(RESULTS, { recursive: true, force: true });
  mkdirSync(RESULTS, { recursive: true });
  const isLong = process.argv.includes("--long");
  if (isLong) process.env["LONGPOLE_LONG_TESTS"] = "1";
  const checks = isLong || process.argv.includes("--all") ? [...CHECKS, ALL_UNIT, END_TO_END] : [...CHECKS, UNIT];
  const outcome: { name: string; ok: boolean }[] = [];
  for (const check of checks) {
    const began = performance.now();
    const complaint = check.run();
    outcome.push({ name: check.name, ok: complaint === undefined });
    if (complaint !== undefined) console.log(complaint.trimEnd());
    const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(5);
    console.log(`${complaint === undefined ? "ok    " : "FAILED"} ${seconds} s  ${check.name}`);
  }
  writeFileSync(join(RESULTS, "checks.json"), JSON.stringify(outcome));
  process.exitCode = outcome.every((check) => check.ok) ? 0 : 1;
}

main();
