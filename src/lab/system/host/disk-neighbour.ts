/** Somebody else's log or database: it writes and syncs, again and again, on the same disk. */
import { open } from "node:fs/promises";
import { CONFIG_VARIABLE, type DiskNeighbourConfig } from "../messages.ts";
import { obeyParent } from "../obey-parent.ts";

const { file } = JSON.parse(process.env[CONFIG_VARIABLE] ?? "") as DiskNeighbourConfig;
const BLOCK = Buffer.alloc(1 << 20, "disk");
const BLOCKS = 64;

obeyParent({ answer: async () => undefined, end: async () => {} });

const handle = await open(file, "w");
for (let i = 0; ; i = (i + 1) % BLOCKS) {
  await handle.write(BLOCK, 0, BLOCK.length, i * BLOCK.length);
  await handle.sync();
}
