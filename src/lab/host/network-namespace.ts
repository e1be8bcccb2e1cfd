import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { LabError } from "../lab-error.ts";
import { leftoverName, ownName } from "./leftovers.ts";

/** A network of its own for one service, joined to the host's by a pair of virtual cards. */
export interface NetworkNamespace {
  /** starts a command within it */
  readonly prefix: readonly string[];
  /** the service's address, and the address at which it finds all others */
  readonly addresses: { readonly own: string; readonly others: string };
  close(): Promise<void>;
}

/**
 * Delay and loss act on both ways of the service, as a long or a bad line does: half of the delay on each way, so
 * that `delayMs` is added to a round trip. Throws a LabError where the machine does not allow it.
 */
export async function openNamespace(line: {
  readonly service: string;
  readonly delayMs: number;
  readonly lossRatio: number;
}): Promise<NetworkNamespace> {
  const name = ownName(line.service);
  // Names of cards have at most 15 letters. A /30 for each maker, from a block for private use.
  const cards = { host: `lp${process.pid}h`, inside: `lp${process.pid}s` };
  const net = process.pid % 16_384;
  const address = (last: number): string => `10.213.${net >> 6}.${((net & 63) << 2) | last}`;
  const addresses = { own: address(2), others: address(1) };
  const close = async (): Promise<void> => {
    await ip("netns", "delete", name);
  };
  await ip("netns", "add", name);
  try {
    await ip("link", "add", cards.host, "type", "veth", "peer", "name", cards.inside, "netns", name);
    await ip("address", "add", `${addresses.others}/30`, "dev", cards.host);
    await ip("link", "set", cards.host, "up");
    await ip("-n", name, "address", "add", `${addresses.own}/30`, "dev", cards.inside);
    await ip("-n", name, "link", "set", cards.inside, "up");
    await ip("-n", name, "link", "set", "lo", "up");
    if (line.delayMs > 0 || line.lossRatio > 0) {
      const netem = ["root", "netem", "delay", `${line.delayMs / 2}ms`, "loss", `${100 * line.lossRatio}%`];
      await run("tc", ["qdisc", "add", "dev", cards.host, ...netem]);
      await run("tc", ["-n", name, "qdisc", "add", "dev", cards.inside, ...netem]);
    }
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
  return { prefix: ["ip", "netns", "exec", name], addresses, close };
}

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

/** Removes namespaces whose maker was killed; their cards go with them. */
export async function sweepNamespaces(): Promise<void> {
  const listed = await ip("netns", "list").catch(() => "");
  for (const line of listed.split("\n")) {
    const name = line.split(" ")[0]!;
    // One that cannot be removed is empty, and does no harm.
    if (leftoverName(name)) await ip("netns", "delete", name).catch(() => undefined);
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
