import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { createServer } from "node:net";

/**
 * Makes sure that no other process has this folder's log. Returns how to give it back.
 *
 * On Linux by a socket of an abstract name made from the folder's path, which the system removes with the process,
 * however that ends: a lock that outlives a crash would keep the next start from what it has to do. It is seen by all
 * processes of one network namespace. Elsewhere there is no such thing, and the folder is not guarded.
 * Throws where another process has it.
 */
export async function lockFolder(dir: string): Promise<() => Promise<void>> {
  if (process.platform !== "linux") return async () => {};
  const name = createHash("sha256").update(realpathSync(dir)).digest("hex").slice(0, 32);
  const server = createServer((socket) => socket.destroy());
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen({ path: `\0longpole-wal-${name}` }, resolve);
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new Error(`another process writes to the log in ${dir}`, { cause: error });
  }
  server.unref();
  return () => new Promise((resolve) => server.close(() => resolve()));
}
