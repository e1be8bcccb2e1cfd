import { readFileSync } from "node:fs";

/** Names of the kernel's functions by address. */
export interface KernelSymbols {
  /** undefined below the first function, and where nothing is known */
  find(address: bigint): string | undefined;
  readonly count: number;
}

/**
 * A text of /proc/kallsyms. Without the right to see addresses all of them are zero: then `count` is 0, since a name at
 * address zero names nothing.
 */
export function parseKallsyms(text: string): KernelSymbols {
  const entries: { address: bigint; name: string }[] = [];
  const line = /^([\da-f]{8,16}) [tTwW] (\S+)/gim;
  for (let match = line.exec(text); match !== null; match = line.exec(text)) {
    const address = BigInt(`0x${match[1]!}`);
    if (address !== 0n) entries.push({ address, name: match[2]! });
  }
  entries.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  const addresses = BigUint64Array.from(entries, ({ address }) => address);
  return {
    count: entries.length,
    find: (address) => {
      let [low, high] = [0, addresses.length];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (addresses[middle]! <= address) low = middle + 1;
        else high = middle;
      }
      return low === 0 ? undefined : plainName(entries[low - 1]!.name);
    },
  };
}

/** Parts that the compiler made of a function belong to it: `vfs_write.constprop.0`. */
const plainName = (name: string): string => name.replace(/\.(?:constprop|isra|part|cold|llvm)\..*$|\.cold$/, "");

let known: KernelSymbols | undefined;

/** The running kernel's; read once. */
export function kernelSymbols(): KernelSymbols {
  return (known ??= parseKallsyms(readFileSync("/proc/kallsyms", "latin1")));
}
