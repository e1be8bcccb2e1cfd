import type { HostSettings, ServiceName } from "../settings.ts";
import { type CpuGroup, enterCpuGroup, sweepCpuGroups } from "./cpu-group.ts";
import { startDiskWriters, startNeighbours } from "./neighbours.ts";
import { type NetworkNamespace, openNamespace, sweepNamespaces } from "./network-namespace.ts";

export interface HostChange {
  /** takes everything back; may be called again */
  undo(): Promise<void>;
  /** what to put before the command line of this service when it starts; empty for most */
  prefixOf(service: ServiceName): readonly string[];
  /**
   * Where others reach a service that lives in a network of its own, and where it reaches them
   * (they have to listen there); undefined for all others: the loopback address.
   */
  addressesOf(service: ServiceName): { readonly own: string; readonly others: string } | undefined;
}

/**
 * Puts the host settings in force. `pids` are the processes of each service that run already: a quota takes
 * them in at once, later ones through `prefixOf`. `folder` is where disk writers write. What an earlier run left
 * behind when it was killed is removed first.
 * Throws a LabError with the reason where the machine does not allow it, and leaves nothing behind then.
 */
export async function changeHost(
  settings: HostSettings,
  pids: Readonly<Record<string, readonly number[]>>,
  folder: string,
): Promise<HostChange> {
  await Promise.all([sweepCpuGroups(), sweepNamespaces()]);
  const undos: (() => Promise<void>)[] = [];
  const undo = async (): Promise<void> => {
    // The last first; one that fails keeps none of the others.
    const failures: unknown[] = [];
    for (const step of undos.splice(0).reverse()) await step().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
  const { neighbours, diskWriters, quota, network } = settings;
  let group: CpuGroup | undefined;
  let namespace: NetworkNamespace | undefined;
  try {
    if (network !== null) {
      namespace = await openNamespace(network);
      undos.push(namespace.close);
    }
    if (quota !== null) {
      group = await enterCpuGroup(quota.service, quota.cores, pids[quota.service] ?? []);
      undos.push(group.leave);
    }
    if (diskWriters > 0) undos.push((await startDiskWriters(diskWriters, folder)).end);
    if (neighbours.processes > 0) undos.push((await startNeighbours(neighbours.processes, neighbours.nice)).end);
  } catch (error) {
    await undo();
    throw error;
  }
  return {
    undo,
    prefixOf: (service) => [
      ...(group !== undefined && service === quota?.service ? group.prefix : []),
      ...(namespace !== undefined && service === network?.service ? namespace.prefix : []),
    ],
    addressesOf: (service) => (service === network?.service ? namespace?.addresses : undefined),
  };
}
