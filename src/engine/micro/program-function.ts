import { frameText } from "../../analysis/frame-text.ts";
import { FrameKind, type StackTable } from "../../model/stack-table.ts";

/** The function of the program that stands for a set of samples. */
export interface ProgramFunction {
  /** "keep_safe (ingest)"; "" where no function is known */
  readonly text: string;
  /** of the samples' value */
  readonly share: number;
  readonly samples: number;
}

/**
 * The function of the program in which most of the samples lie, by their value: of each sample the innermost one with a
 * source or in an executable; where there is none (an interpreter, a program of libraries), the innermost one outside of the
 * C library.
 */
export function programFunction(
  table: StackTable,
  values: Float64Array,
  keep: (sample: number) => boolean,
): ProgramFunction {
  const { samples } = table;
  const known = new Map<number, number>();
  const sums = new Map<number, number>();
  let [total, count] = [0, 0];
  for (let row = 0; row < samples.rowCount; row++) {
    if (!keep(row)) continue;
    const stack = samples.stack[row]!;
    let frame = known.get(stack);
    if (frame === undefined) known.set(stack, (frame = frameOf(table, stack)));
    total += values[row]!;
    count++;
    if (frame >= 0) sums.set(frame, (sums.get(frame) ?? 0) + values[row]!);
  }
  const [frame, most] = [...sums].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0] ?? [-1, 0];
  if (frame < 0 || total === 0) return { text: "", share: 0, samples: count };
  return { text: frameText(table, frame), share: most / total, samples: count };
}

function frameOf(table: StackTable, stack: number): number {
  const { stacks, frames, strings } = table;
  let library = -1;
  let nameless = -1;
  for (let at = stack; at >= 0; at = stacks.parent[at]!) {
    const frame = stacks.frame[at]!;
    const kind = frames.kind[frame]! as FrameKind;
    const [name, file] = [strings.get(frames.function[frame]!), strings.get(frames.file[frame]!)];
    if (kind === FrameKind.kernel || C_LIBRARY.test(file) || WRAPPER.test(name)) continue;
    if (!isOfProgram(kind, frames.line[frame]!, file)) {
      if (library < 0) library = frame;
    } else if (name !== "(anonymous)") {
      // A callback without a name counts for the named function of the same file around it.
      return nameless >= 0 && frames.file[nameless] !== frames.file[frame] ? nameless : frame;
    } else if (nameless < 0) nameless = frame;
  }
  return nameless >= 0 ? nameless : library;
}

function isOfProgram(kind: FrameKind, line: number, file: string): boolean {
  if (kind === FrameKind.user) return true;
  if (kind === FrameKind.jit) return line > 0 || file.endsWith(".py");
  return kind === FrameKind.native && file.startsWith("/") && !INTERPRETER.test(file);
}

const INTERPRETER = /\.so\b|\/(?:node|java|python[\d.]*|ruby|perl)$/;
const C_LIBRARY = /\/(?:libc|ld-linux|libpthread|libm|libstdc\+\+|libgcc_s)[-.\w]*\.so|^\[/;

/** What the C library puts around system calls, which stands in the executable where that is linked statically. */
const WRAPPER =
  /^_*(?:GI_+|libc_)*(?:(?:clock_)?nanosleep|u?sleep|f(?:data)?sync|msync|sync_file_range|p?p?(?:read|write)v?(?:64)?2?|open(?:at)?(?:64)?|close|connect|accept4?|recv(?:from|m?msg)?|send(?:to|m?msg)?|p?poll|p?select|epoll_p?wait2?|futex\w*|lll_lock_wait\w*|pthread_(?:mutex|cond|rwlock)_\w+|wait4|waitid|waitpid|f(?:write|read|flush|puts|putc)(?:_unlocked)?|flock|fcntl(?:64)?|new_sem_wait\w*|sem_(?:timed)?wait|syscall|f?stat(?:at)?(?:64)?|unlink(?:at)?|rename|ioctl)(?:_nocancel|_cancel)?$/;
