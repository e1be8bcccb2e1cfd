import { InputError, type Intake } from "../model/intake.ts";
import { StackTableBuilder } from "../model/stack-table-builder.ts";
import type { StackTable } from "../model/stack-table.ts";
import { JsonKeys } from "./json-keys.ts";
import { END_OF_OBJECT, JsonReader } from "./json-reader.ts";
import { readCallFrame, ROOT } from "./v8-call-frame.ts";

const Key = { head: 0 } as const;
const KEYS = new JsonKeys(Object.entries(Key));
const NodeKey = { callFrame: 0, selfSize: 1, children: 2 } as const;
const NODE_KEYS = new JsonKeys(Object.entries(NodeKey));

/**
 * V8's sampled heap, as `node --heap-prof` and the DevTools write it: a tree of nodes
 * with the bytes that were allocated there and are still alive.
 *
 *     { head: { callFrame, selfSize, children: [node] }, samples: [...] }
 *
 * One value: `inuse_space` (bytes). What was read before an error is kept and the error
 * told in `intake.errors`.
 */
export function decodeHeapProfile(bytes: Uint8Array, intake: Intake, file: string): StackTable {
  const into = new StackTableBuilder();
  const nodes: Node[] = [];
  try {
    const reader = new JsonReader(bytes, intake, file, 0);
    reader.enterObject();
    for (let key = reader.nextKey(KEYS); key !== END_OF_OBJECT; key = reader.nextKey(KEYS)) {
      if (key === Key.head) readTree(reader, into, nodes);
      else reader.skipValue();
    }
    reader.expectEnd();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    intake.errors.push(error);
  }
  const space = into.valueType("inuse_space", "bytes");
  const thread = into.thread(into.process({ source: into.strings.intern(file) }));
  for (const node of nodes) {
    const parent = node.parent < 0 ? -1 : nodes[node.parent]!.stack;
    node.stack = node.frame === ROOT ? parent : into.stack(parent, node.frame);
    if (node.bytes > 0) into.setValue(into.sample(node.stack, thread), space, node.bytes);
  }
  return into.finish();
}

interface Node {
  /** index of the caller, which is smaller than the node's own */
  readonly parent: number;
  frame: number;
  bytes: number;
  stack: number;
}

/** Reads the nodes of a tree without recursion, callers first; keys of a node may come in any order. */
function readTree(reader: JsonReader, into: StackTableBuilder, nodes: Node[]): void {
  const enter = (parent: number): number => {
    reader.enterObject();
    return nodes.push({ parent, frame: ROOT, bytes: 0, stack: -1 }) - 1;
  };
  const open = [enter(-1)];
  for (let at = open.at(-1); at !== undefined; at = open.at(-1)) {
    const key = reader.nextKey(NODE_KEYS);
    if (key === NodeKey.callFrame) nodes[at]!.frame = readCallFrame(reader, into);
    else if (key === NodeKey.selfSize) nodes[at]!.bytes = reader.readNumber();
    else if (key === NodeKey.children) {
      reader.enterArray();
      if (reader.nextElement()) open.push(enter(at));
    } else if (key !== END_OF_OBJECT) reader.skipValue();
    else {
      open.pop();
      // Behind a child stands its next sibling or the end of its parent's children; behind the head, nothing of the tree.
      if (open.length > 0 && reader.nextElement()) open.push(enter(open.at(-1)!));
    }
  }
}
