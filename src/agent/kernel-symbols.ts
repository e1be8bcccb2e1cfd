import { readFileSync } from "node:fs";

/** Names of the kernel's functions by address. */
export interface KernelSymbols {
  /** address: as a signed number; undefined below the first function, and where nothing is known */
  find(address: number): string | undefined;
  readonly count: number;
}

/**
 * A text of /proc/kallsyms. Without the right to see addresses all of them are zero: then `count` is 0, since a name at
 * address zero names nothing.
 */
export function parseKallsyms(text: string): KernelSymbols {
  const found: { readonly address: number; readonly nameAt: number }[] = [];
  // One text of all names: a name that is cut out of the kernel's text would keep all of that in memory.
  const names: string[] = [];
  let length = 0;
  const line = /^([\da-f]{8,16}) [tTwW] (\S+)/gim;
  for (let match = line.exec(text); match !== null; match = line.exec(text)) {
    // The kernel stands at the end of 64 bits: as signed numbers its addresses are exact.
    const address = Number(BigInt.asIntN(64, BigInt(`0x${match[1]!}`)));
    if (address === 0) continue;
    found.push({ address, nameAt: length });
    names.push(match[2]!);
    length += match[2]!.length + 1;
  }
  found.sort((a, b) => a.address - b.address);
  const addresses = Float64Array.from(found, ({ address }) => address);
  const nameAt = Uint32Array.from(found, (one) => one.nameAt);
  const all = Buffer.from(`${names.join("\0")}\0`, "latin1");
  return {
    count: addresses.length,
    find: (address) => {
      let [low, high] = [0, addresses.length];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (addresses[middle]! <= address) low = middle + 1;
        else high = middle;
      }
      if (low === 0) return undefined;
      const from = nameAt[low - 1]!;
      return plainName(all.toString("latin1", from, all.indexOf(0, from)));
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
