import { classifyWait, type WaitClass } from "../../analysis/wait-class.ts";
import { FrameKind, labelText, type StackTable } from "../../model/stack-table.ts";

/** Per row of the samples of an off-CPU table: what that wait is for. */
export function classifyWaits(table: StackTable): WaitClass[] {
  const { samples, stacks, frames, strings } = table;
  const known = new Map<string, WaitClass>();
  return Array.from(samples.stack, (stack, row) => {
    const key = `${stack} ${samples.labelSet[row]!}`;
    let found = known.get(key);
    if (found === undefined) {
      const kernel: string[] = [];
      const user: string[] = [];
      for (let at = stack; at >= 0; at = stacks.parent[at]!) {
        const frame = stacks.frame[at]!;
        const isKernel = frames.kind[frame] === FrameKind.kernel;
        (isKernel ? kernel : user).push(strings.get(frames.function[frame]!));
      }
      const marks = labelText(table, samples.labelSet[row]!, "wait").split(" ");
      found = classifyWait({ syscall: labelText(table, samples.labelSet[row]!, "syscall"), marks, kernel, user });
      known.set(key, found);
    }
    return found;
  });
}
