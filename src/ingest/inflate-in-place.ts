import { constants, createGunzip, gzipSync } from "node:zlib";

/** What Node's own gunzipSync calls, and what its streams are made of. Nothing documents it: see `makeInflater`. */
interface ZlibHandle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void;
  reset(): void;
  onerror: (message: string, errno: number, code: string) => void;
}

/** Gunzips to memory that is used again each time. */
export interface Inflater {
  /**
   * The content of a gzip body, good until the next call; undefined where it is damaged or larger than the memory,
   * which `inflated` tells apart.
   */
  inflate(sent: Uint8Array): Uint8Array | undefined;
}

/** Requests of SDKs are half a megabyte; what is larger is inflated elsewhere. */
const MEMORY_BYTES = 2 ** 20;

/**
 * An inflater over Node's handle of zlib; undefined where this Node has none that works so, and then nothing is lost but time.
 *
 * gunzipSync makes a new zlib state and a new array per request, and these arrays make V8 collect garbage: half of
 * what inflating takes, and as much again for the collections (bench/ingest.ts). There is no documented way to say where the
 * output goes. So what is found is tried on a known text before it is trusted with any other.
 */
export function makeInflater(): Inflater | undefined {
  const stream = createGunzip() as unknown as { _handle?: ZlibHandle; _writeState?: Uint32Array };
  const { _handle: handle, _writeState: state } = stream;
  if (typeof handle?.writeSync !== "function" || typeof handle.reset !== "function") return undefined;
  if (!(state instanceof Uint32Array) || state.length < 2) return undefined;
  const memory = Buffer.allocUnsafeSlow(MEMORY_BYTES);
  let failed = false;
  handle.onerror = () => (failed = true);
  const inflater: Inflater = {
    inflate(sent) {
      failed = false;
      handle.reset();
      handle.writeSync(constants.Z_FINISH, sent, 0, sent.length, memory, 0, memory.length);
      // What is left of the output; with none left there may be more. What is left of the input stands behind the end.
      const room = state[0]!;
      return failed || room === 0 ? undefined : memory.subarray(0, memory.length - room);
    },
  };
  return isSound(inflater) ? inflater : undefined;
}

/** Tried twice, with damage in between: what is left of one request must not show in the next. */
function isSound(inflater: Inflater): boolean {
  const text = Buffer.from("longpole ".repeat(1000));
  const sent = gzipSync(text);
  try {
    const first = inflater.inflate(sent);
    const isFirst = first !== undefined && text.equals(first);
    const isCutSeen = inflater.inflate(sent.subarray(0, sent.length - 9)) === undefined;
    const second = inflater.inflate(sent);
    return isFirst && isCutSeen && second !== undefined && text.equals(second);
  } catch {
    return false;
  }
}
