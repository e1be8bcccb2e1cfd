// The Prometheus that the end-to-end tests hold answers against: Debian's, installed where it is missing and that is allowed.
// Where it is not, those tests are skipped, and say so. Plain JavaScript, like setup.mjs.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

if (!existsSync("/usr/bin/prometheus")) {
  const isRoot = process.getuid?.() === 0;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  /** @param {string[]} args */
  const run = (args) => spawnSync("apt-get", args, { encoding: "utf8", env }).status === 0;
  const install = () => run(["install", "-y", "--no-install-recommends", "prometheus"]);
  const isThere = isRoot && existsSync("/usr/bin/apt-get") && (install() || (run(["update"]) && install()));
  if (!isThere) {
    process.stderr.write(
      "longpole: without Prometheus (as root: apt-get install prometheus) answers in PromQL are not held against it\n",
    );
  } else {
    // The package starts a server of its own; the tests start theirs.
    spawnSync("systemctl", ["disable", "--now", "prometheus"], { stdio: "ignore" });
  }
}
