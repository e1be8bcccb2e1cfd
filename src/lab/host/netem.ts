import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { LabError } from "../lab-error.ts";

/** Why no delay or loss can be put on a network here, in one sentence; undefined where it can. */
export async function probeNetem(): Promise<string | undefined> {
  try {
    // In a network that ends with the command.
    await run("unshare", ["--net", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]);
    await ip("netns", "list");
    return undefined;
  } catch (error) {
    if (error instanceof LabError) return error.message;
    throw error;
  }
}

const ip = (...args: readonly string[]): Promise<string> => run("ip", args);

async function run(command: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, args, { timeout: 10_000 });
    return stdout;
  } catch (error) {
    const stderr = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    throw new LabError("netem", networkRefusal(command, code, stderr), { cause: error });
  }
}

/** What a failed `ip`, `tc` or `unshare` means for the user, in one sentence. */
export function networkRefusal(command: string, code: string, stderr: string): string {
  if (code === "ENOENT" || /unshare: failed to execute (?<missing>\w+)/.test(stderr))
    return "no network can be delayed here: the package iproute2 (ip, tc) or util-linux (unshare) is not installed";
  if (/qdisc kind is unknown/i.test(stderr))
    return "this kernel cannot delay packets: it was built without sch_netem, one with CONFIG_NET_SCH_NETEM can";
  if (/not permitted|permission denied/i.test(stderr))
    return "no network namespace may be made here: root (CAP_SYS_ADMIN and CAP_NET_ADMIN) may make one";
  const last = stderr.split("\n").at(-1);
  return `no network can be delayed here: ${command} says "${last === "" ? `exit code ${code}` : last}"`;
}
