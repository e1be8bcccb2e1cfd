import { FrameKind } from "../model/stack-table.ts";
import type { FrameRules } from "./cfa-program.ts";
import { demangle } from "./demangle.ts";
import { readElf, symbolAt, type ElfFile } from "./elf-file.ts";
import { kernelSymbols } from "./kernel-symbols.ts";
import { type PerfMap, PerfMapFile, readJitName } from "./perf-map.ts";
import { parseMaps, ProcessMaps, type Mapping } from "./process-maps.ts";
import { innerPid } from "./process-status.ts";

/** A frame as a person reads it. */
export interface NamedFrame {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly kind: FrameKind;
  /** whether a function's name was found, not only the file that holds it */
  readonly isNamed: boolean;
}

/**
 * A look costs some 100 µs; addresses that nothing maps, as broken stacks have, are many. Each look that finds nothing there
 * doubles the wait to the next one of that process.
 */
const LOOK_AGAIN_MS = 10;
const LONGEST_WAIT_MS = 10_000;

/** Where V8 collects garbage, and the JVM. */
const GC =
  /^(?:v8::internal::(?:Heap::(?:CollectGarbage|PerformGarbageCollection|Scavenge)|Scavenge|Mark(?:ing|Compact)|ConcurrentMarking|Sweeper|MinorMC)|GCTaskThread|G1|PS(?:Young|Par)|Shenandoah|ZMark)/;

/**
 * Names the addresses of one recording's processes, and finds the rules for unwinding them. Files are read once, however
 * many processes map them; what cannot be read is told once in `remarks`.
 */
export class Symboliser {
  readonly remarks: string[] = [];
  private readonly files = new Map<string, ElfFile | undefined>();
  /** the same by mapping: each frame of each stack asks */
  private readonly mapped = new WeakMap<Mapping, { readonly file: ElfFile | undefined }>();
  private readonly processes = new Map<number, ProcessMaps>();
  /** as they were read last, and where they are read on */
  private readonly perfMaps = new Map<number, PerfMap | undefined>();
  private readonly damagedMaps = new Set<number>();
  private readonly perfMapFiles = new Map<number, readonly PerfMapFile[]>();
  private readonly looked = new Map<number, { atMs: number; waitMs: number }>();
  /** by process and address, as long as nothing else is mapped: each frame of each stack asks */
  private readonly rules = new Map<number, Map<number, FrameRules | undefined>>();
  private readonly frames = new Map<number, Map<number, NamedFrame>>();
  private readonly kernelNames = new Map<number, NamedFrame>();
  /** of files by place, whoever maps them; of compiled code by process and address */
  private readonly names = new Map<ElfFile, Map<number, NamedFrame>>();
  private readonly compiledNames = new Map<number, Map<number, NamedFrame>>();
  private readonly areCompiled = new WeakMap<Mapping, boolean>();
  private readonly wantsMaps: (pid: number) => void;

  /** wantsMaps: asked where this process may not look itself, as rarely as it would; the answer, if any, comes by `see`. */
  constructor(wantsMaps: (pid: number) => void = () => {}) {
    this.wantsMaps = wantsMaps;
  }

  /** Looks at what a process has mapped now. */
  look(pid: number): boolean {
    const now = ProcessMaps.now(pid);
    if (now !== undefined) this.take(pid, now);
    return now !== undefined;
  }

  /** Takes in a text of /proc/PID/maps that somebody else read. */
  see(pid: number, maps: string): void {
    this.take(pid, parseMaps(maps));
  }

  private take(pid: number, now: readonly Mapping[]): void {
    if (!this.mapsOf(pid).add(now)) return;
    this.rules.delete(pid);
    this.frames.delete(pid);
  }

  /** A process that has ended; its number may be another's. What runtimes compiled is read anew when it is asked for. */
  forget(pid: number): void {
    this.processes.delete(pid);
    this.looked.delete(pid);
    this.rules.delete(pid);
    this.frames.delete(pid);
    this.perfMaps.delete(pid);
    this.perfMapFiles.delete(pid);
    this.damagedMaps.delete(pid);
    this.compiledNames.delete(pid);
  }

  /** Runtimes go on compiling: what they have written since is read when it is asked for. */
  forgetCompiled(): void {
    this.perfMaps.clear();
    this.compiledNames.clear();
  }

  knows(pid: number): boolean {
    return !(this.processes.get(pid)?.isEmpty ?? true);
  }

  rulesAt(pid: number, address: number): FrameRules | undefined {
    let known = this.rules.get(pid);
    const held = known?.get(address);
    if (held !== undefined || known?.has(address) === true) return held;
    const mapping = this.mapsOf(pid).find(address) ?? this.lookAgain(pid, address);
    if (mapping === undefined) return undefined;
    const rules = this.rulesIn(pid, mapping, address);
    // The look may have brought others.
    known = this.rules.get(pid);
    if (known === undefined || known.size >= MOST_NAMES) this.rules.set(pid, (known = new Map()));
    known.set(address, rules);
    return rules;
  }

  private rulesIn(pid: number, mapping: Mapping, address: number): FrameRules | undefined {
    const file = this.fileOf(pid, mapping);
    if (file?.ehFrame === undefined) return undefined;
    const at = file.addressOf(address - mapping.start + mapping.offset);
    return at < 0 ? undefined : file.ehFrame.rulesAt(at);
  }

  /**
   * A place in a process. `address`: within the instruction that is meant, which for callers is the one before the return. The
   * same object each time, as long as the place has that name.
   */
  user(pid: number, address: number): NamedFrame {
    let known = this.frames.get(pid);
    const held = known?.get(address);
    if (held !== undefined) return held;
    const mapping = this.mapsOf(pid).find(address);
    if (mapping === undefined || this.isCompiled(mapping)) return this.compiled(pid, address);
    const frame = this.mappedFrame(pid, mapping, address);
    if (known === undefined || known.size >= MOST_NAMES) this.frames.set(pid, (known = new Map()));
    known.set(address, frame);
    return frame;
  }

  private mappedFrame(pid: number, mapping: Mapping, address: number): NamedFrame {
    if (mapping.path.startsWith("[")) return special(mapping.path);
    const file = this.fileOf(pid, mapping);
    const at = address - mapping.start + mapping.offset;
    const place = file === undefined ? -1 : file.addressOf(at);
    if (file === undefined || place < 0) return nameless(mapping.path, at);
    let names = this.names.get(file);
    if (names === undefined || names.size >= MOST_NAMES) this.names.set(file, (names = new Map()));
    let frame = names.get(place);
    if (frame === undefined) {
      const symbol = symbolAt(file.symbols, place);
      names.set(place, (frame = symbol === undefined ? nameless(mapping.path, at) : native(mapping.path, symbol)));
    }
    return frame;
  }

  /** address: as a signed number */
  kernel(address: number): NamedFrame {
    const known = this.kernelNames.get(address);
    if (known !== undefined) return known;
    const name = kernelSymbols().find(address);
    const frame = {
      name: name ?? `[kernel]+0x${BigInt.asUintN(64, BigInt(address)).toString(16)}`,
      file: "[kernel.kallsyms]",
      line: -1,
      kind: FrameKind.kernel,
      isNamed: name !== undefined,
    };
    this.kernelNames.set(address, frame);
    return frame;
  }

  /** What was mapped since the last look: a program loads its libraries right after it began. Not for every address anew. */
  private lookAgain(pid: number, address: number): Mapping | undefined {
    const now = performance.now();
    const last = this.looked.get(pid) ?? { atMs: -Infinity, waitMs: LOOK_AGAIN_MS };
    if (now - last.atMs < last.waitMs) return undefined;
    const canLook = this.look(pid);
    if (!canLook) this.wantsMaps(pid);
    const found = canLook ? this.mapsOf(pid).find(address) : undefined;
    const waitMs = found === undefined ? Math.min(2 * last.waitMs, LONGEST_WAIT_MS) : LOOK_AGAIN_MS;
    this.looked.set(pid, { atMs: now, waitMs });
    return found;
  }

  /** Code that a runtime compiled lies in memory without a file, or in one that it made for the purpose. */
  private isCompiled(mapping: Mapping): boolean {
    let is = this.areCompiled.get(mapping);
    if (is === undefined) {
      const { path } = mapping;
      is = path === "" || /^\/(?:memfd:|dev\/zero|SYSV)|^\[anon|^\/\/anon/.test(path);
      this.areCompiled.set(mapping, is);
    }
    return is;
  }

  private compiled(pid: number, address: number): NamedFrame {
    let names = this.compiledNames.get(pid);
    if (names === undefined || names.size >= MOST_NAMES) this.compiledNames.set(pid, (names = new Map()));
    let frame = names.get(address);
    if (frame === undefined) {
      const name = this.perfMapOf(pid)?.find(address);
      names.set(address, (frame = name === undefined ? UNKNOWN : compiledFrame(name)));
    }
    return frame;
  }

  private remark(text: string): void {
    if (!this.remarks.includes(text)) this.remarks.push(text);
  }

  private mapsOf(pid: number): ProcessMaps {
    let maps = this.processes.get(pid);
    if (maps === undefined) this.processes.set(pid, (maps = new ProcessMaps()));
    return maps;
  }

  private perfMapOf(pid: number): PerfMap | undefined {
    if (this.perfMaps.has(pid)) return this.perfMaps.get(pid);
    let map: PerfMap | undefined;
    try {
      for (const file of this.perfMapFilesOf(pid)) if ((map = file.read()) !== undefined) break;
    } catch (error) {
      this.remark(messageOf(error));
    }
    // Once for each process: it is read again and again.
    if (map !== undefined && map.damaged > 0 && !this.damagedMaps.has(pid)) {
      this.damagedMaps.add(pid);
      this.remark(`/tmp/perf-${pid}.map: ${map.damaged} of ${map.count + map.damaged} lines are no entries`);
    }
    this.perfMaps.set(pid, map);
    return map;
  }

  private perfMapFilesOf(pid: number): readonly PerfMapFile[] {
    let files = this.perfMapFiles.get(pid);
    if (files === undefined) {
      // Through the process's own root: a container has a /tmp of its own, where process 1 writes perf-1.map.
      const paths = [`/tmp/perf-${pid}.map`, `/proc/${pid}/root/tmp/perf-${innerPid(pid)}.map`];
      this.perfMapFiles.set(pid, (files = paths.map((path) => new PerfMapFile(path))));
    }
    return files;
  }

  private fileOf(pid: number, mapping: Mapping): ElfFile | undefined {
    const known = this.mapped.get(mapping);
    if (known !== undefined) return known.file;
    const file = mapping.path.startsWith("/") ? this.read(pid, mapping) : undefined;
    this.mapped.set(mapping, { file });
    return file;
  }

  /** Once for each file, whoever maps it. */
  private read(pid: number, mapping: Mapping): ElfFile | undefined {
    const key = `${mapping.identity} ${mapping.path}`;
    if (this.files.has(key)) return this.files.get(key);
    let file: ElfFile | undefined;
    let why = "";
    const range = `${mapping.start.toString(16)}-${mapping.end.toString(16)}`;
    for (const path of [`/proc/${pid}/map_files/${range}`, `/proc/${pid}/root${mapping.path}`, mapping.path]) {
      try {
        file = readElf(path, mapping.path);
        break;
      } catch (error) {
        why = messageOf(error);
      }
    }
    if (file === undefined) this.remark(`no symbols of ${mapping.path}: ${why}`);
    this.files.set(key, file);
    return file;
  }
}

/** Names that are kept of a file, and of what a process compiled; beyond them they are looked up anew. */
const MOST_NAMES = 20_000;

const UNKNOWN: NamedFrame = { name: "[unknown]", file: "", line: -1, kind: FrameKind.jit, isNamed: false };

function compiledFrame(name: string): NamedFrame {
  const { isScript: _, ...frame } = readJitName(name);
  const kind = frame.file.startsWith("node:") ? FrameKind.runtime : FrameKind.jit;
  return { ...frame, kind, isNamed: true };
}

function special(path: string): NamedFrame {
  const isVdso = path === "[vdso]";
  return { name: path, file: path, line: -1, kind: isVdso ? FrameKind.native : FrameKind.jit, isNamed: isVdso };
}

function nameless(path: string, at: number): NamedFrame {
  const base = path.slice(path.lastIndexOf("/") + 1);
  return { name: `${base}+0x${at.toString(16)}`, file: path, line: -1, kind: FrameKind.native, isNamed: false };
}

function native(path: string, symbol: string): NamedFrame {
  // Versions are of the linker, not of the function: `clock_gettime@@GLIBC_2.17`.
  const name = demangle(symbol.replace(/@.*$/, ""));
  return { name, file: path, line: -1, kind: GC.test(name) ? FrameKind.gc : FrameKind.native, isNamed: true };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
