import type { StackTable } from "../model/stack-table.ts";

/** How many frames of all samples there are, with names, and without one because a runtime compiled them. */
export interface FrameNames {
  frames: number;
  named: number;
  namelessCompiled: number;
}

/** Counts the frames of a profile from elsewhere, in which a frame without a name is called by its file, "[libc.so.6]". */
export function frameNames({ samples, stacks, frames, strings }: StackTable): FrameNames {
  const counted: FrameNames = { frames: 0, named: 0, namelessCompiled: 0 };
  for (let row = 0; row < samples.rowCount; row++) {
    for (let at = samples.stack[row]!; at >= 0; at = stacks.parent[at]!) {
      const frame = stacks.frame[at]!;
      const isNamed = !/^\[.*\]$/.test(strings.get(frames.function[frame]!));
      counted.frames++;
      if (isNamed) counted.named++;
      else if (COMPILED.test(strings.get(frames.file[frame]!))) counted.namelessCompiled++;
    }
  }
  return counted;
}

/** What perf calls memory that belongs to no file: code that was compiled at run time. */
const COMPILED = /(?:^|\/)perf-\d+\.map$/;

/** From so many of the frames on, what is missing is what one wants to know. */
const MANY_NAMELESS = 0.03;

/** Says how to get the names of compiled code, where many are missing. */
export function namelessRemarks({ frames, namelessCompiled }: FrameNames): string[] {
  if (namelessCompiled < MANY_NAMELESS * frames || namelessCompiled === 0) return [];
  const share = Math.round((100 * namelessCompiled) / frames);
  return [
    `${share} % of the frames are code that was compiled at run time, and have no names: start Node with --perf-basic-prof (docs/record.md has the others)`,
  ];
}
