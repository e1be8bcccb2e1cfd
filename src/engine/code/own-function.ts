import type { FunctionShare } from "../../analysis/code-profile.ts";
import type { StackTable } from "../../model/stack-table.ts";

/** Where package managers of Node.js, Python, Go, Rust, PHP and Ruby put what a program depends on. */
const DEPENDENCY =
  /\/(?:node_modules|site-packages|dist-packages|vendor|pkg\/mod|\.cargo\/registry|gems)\/|^(?:node|internal):/;

/** A function of the program's own with so much of what the first one has goes before it. */
const NEARLY = 0.25;

/**
 * Of functions that ran right before a collection, most first, the one to look at: a library allocates for whoever calls it, and
 * nobody changes the library. Undefined for none.
 */
export function ownFunction(
  { frames, strings }: StackTable,
  functions: readonly FunctionShare[],
): FunctionShare | undefined {
  const known = functions.filter(({ frame }) => frame >= 0);
  const [first] = known;
  const own = known.find(({ frame }) => !DEPENDENCY.test(strings.get(frames.file[frame]!)));
  return own !== undefined && own.value >= NEARLY * first!.value ? own : first;
}
