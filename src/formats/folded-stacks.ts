import { InputError, type Intake } from "../model/intake.ts";
import { StackTableBuilder } from "../model/stack-table-builder.ts";
import { FrameKind, type StackTable } from "../model/stack-table.ts";
import { ToldLines } from "./told-lines.ts";

/** Endings by which collapsers mark a frame's kind: kernel, compiled while running, inlined, waker. */
const ANNOTATIONS: Readonly<Record<string, FrameKind>> = {
  k: FrameKind.kernel,
  j: FrameKind.jit,
  i: FrameKind.user,
  w: FrameKind.user,
};

const NEWLINE = 0x0a;
const SPACE = 0x20;
const SEMICOLON = 0x3b;

/**
 * Folded stacks: a line per stack, frames from the outermost in with semicolons between, a space, a number.
 *
 *     main;parse;RegExp: ^(a|b) c$ 42
 *
 * A line without a number counts once. Frames may hold spaces; `_[k]` and `_[j]` behind a name tell its kind.
 * One value, `samples` (count), which may have fractions. Lines without a frame are told in `intake.errors`.
 */
export function decodeFolded(bytes: Uint8Array, intake: Intake, file: string): StackTable {
  const into = new StackTableBuilder();
  const value = into.valueType("samples", "count");
  const thread = into.thread(into.process({ source: into.strings.intern(file) }));
  const told = new ToldLines(intake, file);
  const frameOfText = new Map<number, number>();
  let line = 0;
  for (let start = byteOrderMark(bytes); start < bytes.length;) {
    line++;
    let end = bytes.indexOf(NEWLINE, start);
    if (end < 0) end = bytes.length;
    const next = end + 1;
    while (end > start && bytes[end - 1]! <= SPACE) end--;
    if (end > start && !isComment(bytes, start)) readLine(start, end);
    start = next;
  }
  told.finish();
  return into.finish();

  function readLine(start: number, end: number): void {
    const gap = gapBeforeNumber(bytes, start, end);
    const stackEnd = gap < 0 ? end : gap;
    let stack = -1;
    for (let at = start; at < stackEnd;) {
      let stop = at;
      while (stop < stackEnd && bytes[stop] !== SEMICOLON) stop++;
      if (stop > at) stack = into.stack(stack, frameOf(at, stop));
      at = stop + 1;
    }
    if (stack < 0) {
      const expected = `a stack and a number on line ${line}`;
      told.tell(new InputError("malformed", { file, byteOffset: start, expected, found: "no frame" }));
      return;
    }
    const weight = gap < 0 ? 1 : Number(Buffer.from(bytes.subarray(gap + 1, end)).toString("latin1"));
    into.setValue(into.sample(stack, thread), value, weight);
  }

  function frameOf(start: number, end: number): number {
    const id = into.strings.internBytes(bytes, start, end);
    let frame = frameOfText.get(id);
    if (frame === undefined) {
      const [name, kind] = annotated(into.strings.get(id));
      frame = into.frame(into.strings.intern(name), 0, -1, kind);
      frameOfText.set(id, frame);
    }
    return frame;
  }
}

function annotated(text: string): [name: string, kind: FrameKind] {
  const match = /^(.+)_\[([kjiw])\]$/.exec(text);
  return match === null ? [text, FrameKind.user] : [match[1]!, ANNOTATIONS[match[2]!]!];
}

/** Position of the space before the number that ends `bytes[start, end)`; -1 where it ends with none. */
function gapBeforeNumber(bytes: Uint8Array, start: number, end: number): number {
  let at = end - 1;
  let dots = 0;
  while (at > start && (isDigit(bytes[at]!) || bytes[at] === 0x2e)) if (bytes[at--] === 0x2e) dots++;
  return at > start &&
    at < end - 1 &&
    dots <= 1 &&
    isDigit(bytes[at + 1]!) &&
    (bytes[at] === SPACE || bytes[at] === 0x09)
    ? at
    : -1;
}

const isComment = (bytes: Uint8Array, at: number): boolean => bytes[at] === 0x23 && bytes[at + 1] === SPACE;

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

const byteOrderMark = (bytes: Uint8Array): number =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
