import { FrameKind } from "../model/stack-table.ts";

/** The mapping that stands for code compiled while running, where a format knows only mappings. */
export const JIT_MAPPING = "[jit]";
export const KERNEL_MAPPING = "[kernel.kallsyms]";

/** Go's collector: its workers, the help that allocating goroutines give it, sweeping. */
const GO_GC = /^runtime\.(?:gc|bgsweep|bgscavenge|sweep|markroot|scanobject|greyobject|scanblock)/;

/** Kind of a frame by what profiles of several languages have in common: its name, its source and its mapping. */
export function frameKindOf(name: string, file: string, mapping: string): FrameKind {
  if (name === "(garbage collector)" || name === "Garbage Collection" || GO_GC.test(name)) return FrameKind.gc;
  if (name === "(idle)") return FrameKind.idle;
  if (mapping === JIT_MAPPING) return FrameKind.jit;
  if (/^\[(?:kernel|vdso|guest)|vmlinux[^/]*$|\.ko$/.test(mapping)) return FrameKind.kernel;
  if (file.startsWith("node:") || name.startsWith("runtime.") || /\/go[^/]*\/src\/(?:runtime|internal)\//.test(file))
    return FrameKind.runtime;
  return file === "" ? FrameKind.native : FrameKind.user;
}
