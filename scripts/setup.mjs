// Makes a clone runnable with nothing but Node: checks the version, installs the
// locked dependencies when they are not there, and builds when dist is stale.
// Plain JavaScript without dependencies, since it runs before any is installed.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The oldest Node that is supported; the same number stands in package.json under engines. */
export const OLDEST_NODE = [20, 19, 0];

/**
 * The sentence to print when `version` ("20.18.1") is too old, or undefined when it will do.
 * @param {string} version
 * @returns {string | undefined}
 */
export function tooOld(version) {
  const have = version.split(".").map((part) => Number.parseInt(part, 10));
  for (const [place, wanted] of OLDEST_NODE.entries()) {
    const number = have[place] ?? 0;
    if (number > wanted) return undefined;
    if (number < wanted) return `Longpole needs Node ${OLDEST_NODE.join(".")} or newer; this is Node ${version}.`;
  }
  return undefined;
}

/**
 * What has to be installed: a reason in words, or undefined when node_modules holds what the lock names.
 * Compares contents and not times, so that a fresh checkout of an unchanged lock installs nothing.
 * @param {string} root
 * @returns {string | undefined}
 */
export function missingDependencies(root) {
  const installedFile = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(installedFile)) return "node_modules is absent";
  const wanted = lockedPackages(join(root, "package-lock.json"));
  const installed = lockedPackages(installedFile);
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "" || entry.link === true) continue;
    const version = installed[path]?.version;
    // An optional package is left out where its platform does not fit.
    if (version === undefined && entry.optional === true) continue;
    if (version !== entry.version) return `${path} is ${version ?? "absent"}, the lock wants ${entry.version}`;
  }
  return undefined;
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string, optional?: boolean, link?: boolean }>}
 */
function lockedPackages(file) {
  return JSON.parse(readFileSync(file, "utf8")).packages ?? {};
}

/**
 * Whether a source is newer than the last build of this script.
 * @param {string} root
 * @returns {boolean}
 */
export function buildIsStale(root) {
  if (!existsSync(join(root, "dist", "cli", "main.js"))) return true;
  const stamp = join(root, STAMP);
  if (!existsSync(stamp)) return true;
  const builtAt = statSync(stamp).mtimeMs;
  const sources = [
    join(root, "tsconfig.base.json"),
    join(root, "vite.config.ts"),
    join(root, "package-lock.json"),
    ...filesBelow(join(root, "src")),
  ];
  return sources.some((file) => statSync(file).mtimeMs > builtAt);
}

const STAMP = join("dist", ".tsbuildinfo", "setup-stamp");

/**
 * @param {string} folder
 * @returns {string[]}
 */
function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/**
 * Runs a command quietly; when it fails, shows what it said and ends with its exit code.
 * @param {string} doing
 * @param {string} command
 * @param {string[]} args
 * @param {string} root
 */
function runQuietly(doing, command, args, root) {
  process.stderr.write(`longpole: ${doing} ...\n`);
  const done = spawnSync(command, args, { cwd: root, encoding: "utf8", shell: command.endsWith(".cmd") });
  if (done.status === 0) return;
  process.stderr.write(`${done.stdout ?? ""}${done.stderr ?? ""}${done.error?.message ?? ""}\n`);
  process.stderr.write(`longpole: ${doing} failed: ${command} ${args.join(" ")}\n`);
  process.exit(done.status ?? 1);
}

/** @param {string} root */
function install(root) {
  const why = missingDependencies(root);
  if (why === undefined) return;
  const doing = `installing dependencies (${why})`;
  const npm = process.env["npm_execpath"];
  if (npm?.endsWith(".js")) runQuietly(doing, process.execPath, [npm, "ci"], root);
  else runQuietly(doing, process.platform === "win32" ? "npm.cmd" : "npm", ["ci"], root);
}

/** @param {string} root */
function build(root) {
  if (!buildIsStale(root)) return;
  const startedAt = new Date();
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  // Only what the command line needs: an error in a test does not keep anyone from running it.
  runQuietly("building", process.execPath, [tsc, "-b", "src/cli"], root);
  const vite = join(root, "node_modules", "vite", "bin", "vite.js");
  runQuietly("building the web UI", process.execPath, [vite, "build", "--logLevel", "warn"], root);
  const stamp = join(root, STAMP);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, `${startedAt.toISOString()}\n`);
}

function main() {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const complaint = tooOld(process.versions.node);
  if (complaint !== undefined) {
    process.stderr.write(`${complaint}\n`);
    process.exit(1);
  }
  install(root);
  if (!process.argv.includes("--no-build")) build(root);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) main();
