/** Somebody else's computation: it uses all it gets of one core. */
import { createHash } from "node:crypto";
import { setPriority } from "node:os";
import { CONFIG_VARIABLE, type NeighbourConfig } from "../messages.ts";
import { obeyParent } from "../obey-parent.ts";

const { nice } = JSON.parse(process.env[CONFIG_VARIABLE] ?? "") as NeighbourConfig;
const BLOCK = Buffer.alloc(1 << 20);

setPriority(nice);
obeyParent({ answer: async () => undefined, end: async () => {} });
compute();

/** Some milliseconds at a time, so that it hears when it is told to end. */
function compute(): void {
  createHash("sha256").update(BLOCK).digest();
  setImmediate(compute);
}
