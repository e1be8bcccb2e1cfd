import { open, rm } from "node:fs/promises";
import { FILE_VARIABLE } from "./writer-file.ts";

/** A process of somebody else: it writes to a file and syncs it, until its parent goes or ten minutes have passed. */
const CHUNK_BYTES = 256 * 1024;
/** The file is written from its beginning again at this size. */
const FILE_BYTES = 32 * 1024 * 1024;

const path = process.env[FILE_VARIABLE]!;
let going = true;
process.on("disconnect", () => (going = false));
setTimeout(() => (going = false), 10 * 60_000).unref();

const file = await open(path, "w");
try {
  process.send?.("ready");
  const chunk = Buffer.alloc(CHUNK_BYTES, "somebody else's data ");
  for (let at = 0; going; at = (at + CHUNK_BYTES) % FILE_BYTES) {
    await file.write(chunk, 0, CHUNK_BYTES, at);
    await file.datasync();
  }
} finally {
  await file.close();
  await rm(path, { force: true });
}
process.exit(0);
