import { Worker } from "node:worker_threads";
import { InputError } from "../model/intake.ts";
import type { StackTable } from "../model/stack-table.ts";
import { StringPool } from "../model/string-pool.ts";

/** Bytes of text that are handed over at once: some milliseconds of reading, beside which handing over costs nothing. */
const PIECE_BYTES = 1024 * 1024;
/** Pieces that the helper has and has not read: one in hand, and the next. */
const MAX_WAITING = 2;

/** A second reader of the same text of `perf script`. */
export interface PerfHelper {
  /** whether it would begin with another piece soon */
  readonly hasRoom: boolean;
  readonly pieceBytes: number;
  /** Room of `pieceBytes` for the next piece. */
  takePiece(): Buffer;
  /** Has it read the first `length` bytes of the piece: whole samples, from byte `base` of the file on. The piece is the caller's no more. */
  give(piece: Buffer, length: number, base: number, firstNs: number): void;
  /** Waits until all was read; undefined where nothing was given. The helper is not used any more. */
  finish(): Promise<HelperResult | undefined>;
}

export interface HelperResult {
  readonly stacks: StackTable;
  /** for each piece: samples read when it was done, in the order in which the pieces were given */
  readonly samplesRead: readonly number[];
  /** as in PerfSamples */
  readonly lastNs: number;
  /** all damaged lines, and the first of them */
  readonly damaged: number;
  readonly errors: readonly InputError[];
}

/** Messages to the thread. */
export type ToPerfThread =
  | {
      readonly kind: "piece";
      readonly bytes: ArrayBuffer;
      readonly length: number;
      readonly base: number;
      readonly firstNs: number;
    }
  | { readonly kind: "finish" };

/** A table without its pool, whose strings are listed by their ids. */
export type PackedStacks = Omit<StackTable, "strings"> & { readonly strings: readonly string[] };

/** What an InputError is made of; of the error itself only the message would arrive. */
export type PackedError = Pick<InputError, "code" | "file" | "byteOffset" | "expected" | "found">;

/** Messages from the thread: it has loaded; it has read a piece, whose bytes it gives back; all it read. */
export type FromPerfThread =
  | { readonly kind: "ready" }
  | { readonly kind: "read"; readonly samples: number; readonly bytes: ArrayBuffer }
  | {
      readonly kind: "all";
      readonly stacks: PackedStacks;
      readonly lastNs: number;
      readonly damaged: number;
      readonly errors: readonly PackedError[];
    };

/** Starts a thread that reads; it has room for the first piece when it has loaded, some 50 ms later. Where it cannot start it never has. */
export function startPerfHelper(file: string): PerfHelper {
  return new PerfThread(file);
}

class PerfThread implements PerfHelper {
  readonly pieceBytes = PIECE_BYTES;
  private readonly worker: Worker;
  private readonly samplesRead: number[] = [];
  private readonly free: Buffer[] = [];
  private given = 0;
  private isReady = false;
  private failure: Error | undefined;
  private all: ((result: HelperResult) => void) | undefined;
  private fail: ((error: Error) => void) | undefined;

  constructor(file: string) {
    this.worker = siblingThread("perf-thread", file);
    this.worker.on("message", (message: FromPerfThread) => this.hear(message));
    this.worker.on("error", (error) => {
      this.failure = error;
      this.fail?.(error);
    });
    // What is not asked for its result keeps no process alive.
    this.worker.unref();
  }

  get hasRoom(): boolean {
    return this.isReady && this.failure === undefined && this.given - this.samplesRead.length < MAX_WAITING;
  }

  takePiece(): Buffer {
    return this.free.pop() ?? Buffer.from(new ArrayBuffer(PIECE_BYTES));
  }

  give(piece: Buffer, length: number, base: number, firstNs: number): void {
    this.given++;
    const bytes = piece.buffer as ArrayBuffer;
    this.worker.postMessage({ kind: "piece", bytes, length, base, firstNs } satisfies ToPerfThread, [bytes]);
  }

  async finish(): Promise<HelperResult | undefined> {
    try {
      if (this.given === 0) return undefined;
      if (this.failure !== undefined) throw this.failure;
      this.worker.ref();
      this.worker.postMessage({ kind: "finish" } satisfies ToPerfThread);
      return await new Promise<HelperResult>((resolve, reject) => {
        this.all = resolve;
        this.fail = reject;
      });
    } finally {
      await this.worker.terminate();
    }
  }

  private hear(message: FromPerfThread): void {
    switch (message.kind) {
      case "ready":
        this.isReady = true;
        break;
      case "read":
        this.samplesRead.push(message.samples);
        this.free.push(Buffer.from(message.bytes));
        break;
      case "all": {
        const { stacks, lastNs, damaged, errors } = message;
        this.all?.({
          stacks: unpackStacks(stacks),
          samplesRead: this.samplesRead,
          lastNs,
          damaged,
          errors: errors.map((error) => new InputError(error.code, error)),
        });
      }
    }
  }
}

/** The table as it can be posted to another thread. */
export function packStacks(table: StackTable): PackedStacks {
  return { ...table, strings: Array.from({ length: table.strings.size }, (_, id) => table.strings.get(id)) };
}

export function unpackStacks(packed: PackedStacks): StackTable {
  const strings = new StringPool();
  // Each is new, so that ids are those of before.
  for (const text of packed.strings) strings.intern(text);
  return { ...packed, strings };
}

/** The module beside this one as a thread: compiled as it is; from the sources, in tests, with tsx to load it. */
function siblingThread(name: string, workerData: string): Worker {
  const isSource = import.meta.url.endsWith(".ts");
  const url = new URL(`./${name}${isSource ? ".ts" : ".js"}`, import.meta.url);
  if (!isSource) return new Worker(url, { workerData });
  const code = `import("tsx/esm/api").then((tsx) => { tsx.register(); return import("${url.href}"); });`;
  return new Worker(code, { workerData, eval: true });
}
