import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { networkRefusal } from "../../host/netem.ts";
import { LabError } from "../../lab-error.ts";

const run = promisify(execFile);

/** A network namespace, joined to the machine by a pair of virtual interfaces. */
export interface LabNetwork {
  readonly namespace: string;
  /** the machine's end of the pair */
  readonly link: string;
  readonly hostAddress: string;
  readonly innerAddress: string;
}

/** Names and addresses for the `n`-th network of a system; `id` is a UUID. */
export function networkNames(id: string, n: number): LabNetwork {
  const digits = id.replaceAll("-", "");
  const tag = `${digits.slice(0, 8)}${n}`;
  // 198.18.0.0/15 is kept free for measurements in networks (RFC 2544). Its first half has 2^14 networks of four addresses.
  const block = (Number.parseInt(digits.slice(0, 4), 16) + n) % 2 ** 14;
  const address = (last: number): string => `198.18.${block >> 6}.${(block & 63) * 4 + last}`;
  return { namespace: `longpole-${tag}`, link: `lp${tag}`, hostAddress: address(1), innerAddress: address(2) };
}

/** Makes it; what leaves the machine towards it is late by `delayMs`, and lost at `lossRatio`. Rejects with a LabError. */
export async function makeNetwork(network: LabNetwork, delayMs: number, lossRatio: number): Promise<void> {
  const { namespace, link, hostAddress, innerAddress } = network;
  const inner = `${link}i`;
  const loss = lossRatio > 0 ? ["loss", `${lossRatio * 100}%`] : [];
  const steps = [
    ["ip", "netns", "add", namespace],
    ["ip", "link", "add", link, "type", "veth", "peer", "name", inner, "netns", namespace],
    ["ip", "addr", "add", `${hostAddress}/30`, "dev", link],
    ["ip", "link", "set", link, "up"],
    ["ip", "-n", namespace, "addr", "add", `${innerAddress}/30`, "dev", inner],
    ["ip", "-n", namespace, "link", "set", inner, "up"],
    ["ip", "-n", namespace, "link", "set", "lo", "up"],
    ["tc", "qdisc", "add", "dev", link, "root", "netem", "limit", "10000", "delay", `${delayMs}ms`, ...loss],
  ];
  for (const [command = "", ...args] of steps) await succeed(command, args);
}

async function succeed(command: string, args: readonly string[]): Promise<void> {
  try {
    await run(command, args);
  } catch (error) {
    const { code, stderr } = error as { code?: string | number; stderr?: string };
    throw new LabError("netem", networkRefusal(command, String(code), stderr?.trim() ?? ""), { cause: error });
  }
}

/** Nothing happens where it is gone already. */
export async function removeNetwork(namespace: string, link: string): Promise<void> {
  await run("ip", ["link", "del", link]).catch(() => {});
  await run("ip", ["netns", "del", namespace]).catch(() => {});
}

export const insideNetwork = (namespace: string): readonly string[] => ["ip", "netns", "exec", namespace];
