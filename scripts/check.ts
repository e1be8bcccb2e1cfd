// `npm run check` and, with --all, what `npm test` runs after its set-up: every
// check, quiet where it passes, with what it said where it fails. The others still
// run after one has failed, so that the counts are whole. `npm run check` runs its
// unit tests beside the other checks, --all one after the other, since some tests
// measure. --long is --all with more seeds and larger data (src/testing/long-tests.ts).
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { findStaleDocs } from "./check-docs.ts";
import { findViolations } from "./check-imports.ts";

const ROOT: string = resolve(import.meta.dirname, "..");
const RESULTS: string = join(ROOT, "dist", "test-results");

interface Check {
  readonly name: string;
  /** What is wrong, as text to show; undefined when nothing is. */
  run(): Promise<string | undefined>;
}

interface Outcome {
  readonly name: string;
  readonly ok: boolean;
}

/** What tests and linters read. */
const BUILDS: readonly Check[] = [
  { name: "build and types", run: () => command("tsc", ["-b"]) },
  // Where it cannot be built, the tests of `record` check what is said and done instead.
  { name: "native helper", run: () => node(["scripts/build-native.mjs", "--optional"]) },
  { name: "web UI", run: () => command("vite", ["build", "--logLevel", "warn"]) },
];

const STATIC: readonly Check[] = [
  { name: "lint", run: () => command("oxlint", ["--type-aware", "--deny-warnings"]) },
  { name: "format", run: () => command("oxfmt", ["--check"]) },
  {
    name: "imports",
    run: async () => list(findViolations(ROOT).map((v) => `${v.file}:${v.line} ${v.rule}: ${v.message}`)),
  },
  { name: "dead code", run: () => command("knip", []) },
  { name: "docs", run: async () => list(findStaleDocs(ROOT)) },
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
  "src/engine/throughput/{hostile,throughput}.test.ts",
  "src/formats/write-otlp-json.test.ts",
  "src/ingest/{disk-trouble,hostile-senders,row-pool}.test.ts",
  "src/lab/load/run-load.test.ts",
  "src/load/{send-open-loop,step-generator}.test.ts",
  "src/server/live/{analyst,record-history}.test.ts",
  "src/store/{cluster,history,metric-store,span-store,embedded/engine}.test.ts",
];

const UNIT: Check = {
  name: "unit tests, but for slow ones",
  // Vitest leaves a processor to itself, which on a machine with two leaves one for the tests. What modules were compiled to
  // is kept from run to run, by their content: a fifth of the processor time.
  run: () =>
    vitest("unit", [
      "src",
      "scripts",
      ...SLOW.map((pattern) => `--exclude=${pattern}`),
      `--maxWorkers=${availableParallelism()}`,
      "--experimental.fsModuleCache",
      `--experimental.fsModuleCachePath=${join(ROOT, "dist", ".vitest")}`,
    ]),
};

const ALL_UNIT: Check = { name: "unit tests", run: () => vitest("unit", ["src", "scripts"]) };

// One file at a time, and a second try, which is said: some of them measure.
const END_TO_END: Check = {
  name: "end-to-end tests",
  run: () => vitest("e2e", ["e2e", "--no-file-parallelism", "--retry=1", "--reporter=./scripts/second-tries.ts"]),
};

function command(name: string, args: readonly string[]): Promise<string | undefined> {
  return said(join(ROOT, "node_modules", ".bin", process.platform === "win32" ? `${name}.cmd` : name), args);
}

function node(args: readonly string[]): Promise<string | undefined> {
  return said(process.execPath, args);
}

/** What a program said that failed; what stands in the output of one that did not is told where somebody should know it. */
async function said(program: string, args: readonly string[]): Promise<string | undefined> {
  const child = spawn(program, [...args], { cwd: ROOT, shell: program.endsWith(".cmd") });
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream].setEncoding("utf8").on("data", (text: string) => (output[stream] += text));
  try {
    const [code] = (await once(child, "close")) as [number | null];
    if (code !== 0) return `${output.stdout}${output.stderr}` || `exit code ${code}`;
  } catch (error) {
    return (error as Error).message;
  }
  for (const line of output.stdout.split("\n")) if (line.startsWith("passed at a further try: ")) console.log(line);
  // The native helper's: why it was not built.
  if (program === process.execPath) process.stderr.write(output.stderr);
  return undefined;
}

/** The JSON beside the usual output is what scripts/test-count.mjs reads. */
function vitest(name: string, folders: readonly string[]): Promise<string | undefined> {
  const output = `--outputFile.json=${join(RESULTS, `${name}.json`)}`;
  return command("vitest", ["run", ...folders, "--reporter=dot", "--reporter=json", output]);
}

function list(lines: readonly string[]): string | undefined {
  return lines.length === 0 ? undefined : lines.join("\n");
}

async function main(): Promise<void> {
  rmSync(RESULTS, { recursive: true, force: true });
  mkdirSync(RESULTS, { recursive: true });
  const isLong = process.argv.includes("--long");
  if (isLong) process.env["LONGPOLE_LONG_TESTS"] = "1";
  const outcome =
    isLong || process.argv.includes("--all")
      ? await inOrder([...BUILDS, ...STATIC, ALL_UNIT, END_TO_END])
      : await sideBySide();
  writeFileSync(join(RESULTS, "checks.json"), JSON.stringify(outcome));
  process.exitCode = outcome.every((check) => check.ok) ? 0 : 1;
}

async function inOrder(checks: readonly Check[]): Promise<Outcome[]> {
  const outcome: Outcome[] = [];
  for (const check of checks) outcome.push(await done(check));
  return outcome;
}

async function sideBySide(): Promise<Outcome[]> {
  const built = await Promise.all(BUILDS.map(done));
  const checked = await Promise.all([done(UNIT), inOrder(STATIC)]);
  return [...built, ...checked.flat()];
}

async function done(check: Check): Promise<Outcome> {
  const began = performance.now();
  const complaint = await check.run();
  if (complaint !== undefined) console.log(complaint.trimEnd());
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(5);
  console.log(`${complaint === undefined ? "ok    " : "FAILED"} ${seconds} s  ${check.name}`);
  return { name: check.name, ok: complaint === undefined };
}

await main();
