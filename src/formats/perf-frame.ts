import { FrameKind } from "../model/stack-table.ts";

/** A frame as `perf script` writes it, made readable. */
export interface PerfFrame {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly kind: FrameKind;
}

/**
 * Frames of a line of a call chain, without its address: `symbol (module)`. One in nearly
 * all cases; JIT maps write inlined calls as `outer->inner`, the outer one first.
 *
 * Offsets (`+0x1c`), arguments and quotes are taken off, an unknown symbol is named by its
 * module in brackets, and semicolons, which folded stacks cannot hold, become colons: the
 * names that collapsers of this field have always made, so that old and new stacks compare.
 * Undefined where the line is no frame.
 */
export function readPerfFrame(text: string, isJava: boolean): readonly PerfFrame[] | undefined {
  const deleted = text.endsWith(" (deleted))") ? text.length - " (deleted))".length : text.length - 1;
  const open = text.lastIndexOf(" (", deleted - 1);
  // Fields without a module, as of `-F ip,sym`.
  const hasModule = text.endsWith(")") && open > 0;
  const symbol = (hasModule ? text.slice(0, open) : text).trim().replace(/\+0x[\da-f]+$/, "");
  const module = hasModule ? text.slice(open + 2, deleted) : "[unknown]";
  if (symbol === "" || /^\((?!anonymous namespace\))/.test(symbol)) return undefined;
  return symbol.split(/(?<!operator)->/).map((part) => frameOf(part, module, isJava));
}

function frameOf(symbol: string, module: string, isJava: boolean): PerfFrame {
  const kind = kindOf(module);
  const place = kind === FrameKind.jit ? placeOf(symbol) : undefined;
  return {
    name: nameOf(symbol, module, isJava),
    file: place?.file ?? (module === "inlined" || module === "[unknown]" ? "" : module),
    line: place?.line ?? -1,
    kind,
  };
}

function nameOf(symbol: string, module: string, isJava: boolean): string {
  if (symbol === "[unknown]")
    return module === "[unknown]" ? symbol : `[${module.slice(module.lastIndexOf("/") + 1).replaceAll(";", ":")}]`;
  let name = symbol.replaceAll(";", ":");
  // A method of Go is `main.(*T).M`: its parentheses are no arguments.
  if (!/\.\(.*\)\./.test(name)) name = name.replace(/\((?!anonymous namespace\)).*/, "");
  name = name.replace(/["']/g, "");
  // Java's descriptor of a class: `Lorg/x/Y;::run`.
  if (isJava && name.includes("/")) name = name.replace(/^L/, "");
  return name === "" ? symbol.replaceAll(";", ":") : name;
}

function kindOf(module: string): FrameKind {
  if (/^\[(?!unknown|heap|stack|anon)/.test(module) || /vmlinux[^/]*$|\.ko(\.\w+)?$/.test(module))
    return FrameKind.kernel;
  if (/perf-\d+\.map$|\/jitted-\d+-\d+\.so$/.test(module)) return FrameKind.jit;
  return FrameKind.native;
}

/** File and line within a symbol that V8 wrote: `LazyCompile:*parse /srv/a.js:39`, `JS:~f file:///srv/a.js:39:12`. */
function placeOf(symbol: string): { file: string; line: number } | undefined {
  const match = /^(?:JS|LazyCompile|Function|Script|Eval):\S* (?:file:\/\/)?(.+?):(\d+)(?::\d+)?$/.exec(symbol);
  return match === null ? undefined : { file: match[1]!, line: Number(match[2]) };
}
