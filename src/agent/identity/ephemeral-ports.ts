import { readFileSync } from "node:fs";

/**
 * From here on Linux by default gives ports to whoever asks for any: none of them names a service. On machines that give lower
 * ones as well (many let it begin at 1024), those are where services listen, too.
 */
export const FIRST_EPHEMERAL = 32_768;

/** Whether the system gave a port, by the text of /proc/sys/net/ipv4/ip_local_port_range; see ip(7). */
export function ephemeralPorts(range: string): (port: number) => boolean {
  const [, first, last] = /^(\d+)\s+(\d+)\s*$/.exec(range) ?? [];
  if (first === undefined) throw new Error(`no range of ports: ${JSON.stringify(range)}`);
  const from = Math.max(Number(first), FIRST_EPHEMERAL);
  return (port) => port >= from && port <= Number(last);
}

/** Of the network that this process is in. */
export const ephemeralPortsHere = (): ((port: number) => boolean) =>
  ephemeralPorts(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "latin1"));
