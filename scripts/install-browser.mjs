// The browser that the end-to-end tests drive: Debian's chromium, installed where it is missing and that is allowed.
// Plain JavaScript, like setup.mjs. LONGPOLE_BROWSER names another one.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const FOUND = [
  process.env["LONGPOLE_BROWSER"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];

if (!FOUND.some((path) => path !== undefined && existsSync(path))) {
  const isRoot = process.getuid?.() === 0;
  if (!existsSync("/usr/bin/apt-get") || !isRoot) {
    process.stderr.write(
      "longpole: the tests of the web UI need a browser: install chromium (as root: apt-get install chromium), or name one with LONGPOLE_BROWSER\n",
    );
    process.exit(1);
  }
  process.stderr.write("longpole: installing chromium for the tests of the web UI ...\n");
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  /** @param {string[]} args */
  const run = (args) => spawnSync("apt-get", args, { encoding: "utf8", env });
  let done = run(["install", "-y", "--no-install-recommends", "chromium"]);
  if (done.status !== 0) {
    run(["update"]);
    done = run(["install", "-y", "--no-install-recommends", "chromium"]);
  }
  if (done.status !== 0) {
    process.stderr.write(`${done.stdout}${done.stderr}longpole: chromium could not be installed\n`);
    process.exit(1);
  }
}
