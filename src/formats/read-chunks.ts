import { open } from "node:fs/promises";

const CHUNK = 256 * 1024;

/**
 * Bytes of a file in chunks, the next being read while the last is in use. The two
 * buffers are used in turn: a chunk is valid until the next one is asked for.
 * `onRead` is told the size of each chunk as it is handed out.
 */
export async function* readChunks(path: string, onRead: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  const file = await open(path, "r");
  try {
    const buffers = [new Uint8Array(CHUNK), new Uint8Array(CHUNK)];
    // Position null: from where the last read ended, which pipes need.
    const read = (turn: number): Promise<number> =>
      file.read(buffers[turn & 1]!, 0, CHUNK, null).then((result) => result.bytesRead);
    let pending = read(0);
    for (let turn = 0; ; turn++) {
      const size = await pending;
      if (size === 0) return;
      pending = read(turn + 1);
      // An error of a read that nobody waits for any more is not one of the reader.
      pending.catch(() => {});
      onRead(size);
      yield buffers[turn & 1]!.subarray(0, size);
    }
  } finally {
    await file.close();
  }
}
