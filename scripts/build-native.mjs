// Builds the helper of `longpole record` (native/) into dist/native: one static binary with
// the probes inside. Installs what is missing where it may (root on Debian or Ubuntu), and
// says what is missing otherwise. --optional: a machine that cannot build it is no failure,
// since everything that uses the helper has a next best way.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** What the build needs, by the Debian package that has it. */
const NEEDS = [
  { package: "clang", has: () => runs("clang", ["--version"]) },
  { package: "llvm", has: () => runs("llvm-strip", ["--version"]) },
  { package: "bpftool", has: () => bpftool() !== undefined },
  { package: "libc6-dev", has: () => existsSync("/usr/include/stdio.h") },
  // For the compiler's own start files and libgcc, which clang links against.
  { package: "gcc", has: () => runs("gcc", ["--version"]) },
  { package: "libbpf-dev", has: () => existsSync("/usr/include/bpf/libbpf.h") && library("libbpf.a") },
  { package: "libelf-dev", has: () => library("libelf.a") },
  { package: "zlib1g-dev", has: () => library("libz.a") },
];

/** @param {string} name */
const library = (name) => ["/usr/lib", "/usr/lib64", ...multiarch()].some((folder) => existsSync(join(folder, name)));

const multiarch = () =>
  ["x86_64-linux-gnu", "aarch64-linux-gnu"]
    .map((triplet) => join("/usr/lib", triplet))
    .filter((path) => existsSync(path));

/** @param {string} command @param {string[]} args */
const runs = (command, args) => spawnSync(command, args, { stdio: "ignore" }).status === 0;

/** Debian keeps it where only root's path leads. */
const bpftool = () => ["bpftool", "/usr/sbin/bpftool"].find((command) => runs(command, ["version"]));

/**
 * Why the helper cannot be built for this machine at all; undefined where it can.
 * @param {string} platform
 * @param {string} architecture
 * @returns {string | undefined}
 */
export function cannotBeBuilt(platform, architecture) {
  if (platform !== "linux") return `the probes are for Linux; this is ${platform}`;
  if (architecture !== "x64") return `the probes are written for x86-64; this is ${architecture}`;
  return undefined;
}

/** @param {string} folder @returns {string[]} */
const sources = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? sources(path) : [path];
  });

/** @param {string} root */
function isStale(root) {
  const built = join(root, "dist", "native", "longpole-probe");
  if (!existsSync(built)) return true;
  const at = statSync(built).mtimeMs;
  return sources(join(root, "native")).some((path) => statSync(path).mtimeMs > at);
}

/** @returns {string[]} packages that are still missing */
function installMissing() {
  const missing = () => NEEDS.filter((need) => !need.has()).map((need) => need.package);
  const before = missing();
  if (before.length === 0 || process.getuid?.() !== 0 || !runs("apt-get", ["--version"])) return before;
  process.stderr.write(`longpole: installing ${before.join(" ")} ...\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  spawnSync("apt-get", ["update", "-qq"], { stdio: "ignore", env, timeout: 60_000 });
  const args = ["install", "-y", "-qq", "--no-install-recommends", ...before];
  const done = spawnSync("apt-get", args, { encoding: "utf8", env, timeout: 240_000 });
  if (done.status !== 0) process.stderr.write(`${done.stderr ?? ""}\n`);
  return missing();
}

/** @param {string} command @param {string[]} args @param {string} folder */
function run(command, args, folder) {
  const done = spawnSync(command, args, { cwd: folder, maxBuffer: 1 << 26, encoding: "utf8" });
  if (done.status === 0) return done.stdout;
  process.stderr.write(`${done.stderr ?? ""}${done.error?.message ?? ""}\n`);
  process.stderr.write(`longpole: the helper's build failed: ${command} ${args.join(" ")}\n`);
  process.exit(1);
}

/** @param {string} root */
function build(root) {
  const native = join(root, "native");
  const out = join(root, "dist", "native");
  mkdirSync(out, { recursive: true });
  const object = join(out, "longpole-probe.bpf.o");
  const warnings = ["-Wall", "-Werror"];
  const target = ["-g", "-O2", "-target", "bpf", "-mcpu=v3", "-D__TARGET_ARCH_x86"];
  run("clang", [...target, ...warnings, "-c", "longpole-probe.bpf.c", "-o", object], native);
  run("llvm-strip", ["-g", object], native);
  const skeleton = run(bpftool() ?? "bpftool", ["gen", "skeleton", object, "name", "longpole_probe_bpf"], native);
  writeFileSync(join(out, "longpole-probe.skel.h"), skeleton);
  const built = join(out, `longpole-probe.${process.pid}`);
  const link = ["-static", "-s", `-I${out}`, "-I.", "longpole-probe.c", "-o", built, "-lbpf", "-lelf", "-lz"];
  run("clang", ["-O2", ...warnings, "-Wextra", ...link], native);
  // In one step: whoever runs the old one keeps it, and nobody finds half of a new one.
  renameSync(built, join(out, "longpole-probe"));
  rmSync(object);
}

function main() {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const failure = process.argv.includes("--optional") ? 0 : 1;
  const never = cannotBeBuilt(process.platform, process.arch);
  if (never !== undefined) {
    process.stderr.write(`longpole: the helper of record is not built: ${never}\n`);
    process.exit(failure);
  }
  if (!isStale(root)) return;
  const missing = installMissing();
  if (missing.length > 0) {
    process.stderr.write(`longpole: the helper of record is not built; missing: ${missing.join(" ")}\n`);
    process.stderr.write(`longpole: apt-get install ${missing.join(" ")} && npm run build:native\n`);
    process.exit(failure);
  }
  build(root);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) main();
