import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { StoreError } from "../store-error.ts";

/** What the embedded engine is made of: optional dependencies, some 540 MB, of which only the library counts. */
const LIBRARY_PACKAGE = "@chdb/lib-linux-x64-gnu";
const CALLER_PACKAGE = "ffi-rs";

export interface EngineFiles {
  /** libchdb.so */
  readonly library: string;
  readonly libraryVersion: string;
}

/** Where the engine's library lies. Throws StoreError "not-installed", saying why, where there is none. */
export function findEngine(platform: string = process.platform, arch: string = process.arch): EngineFiles {
  if (platform !== "linux" || arch !== "x64") {
    throw new StoreError(
      "not-installed",
      `the embedded engine exists for linux x64 with glibc, this is ${platform} ${arch}`,
    );
  }
  const require = createRequire(import.meta.url);
  try {
    const manifest = require.resolve(`${LIBRARY_PACKAGE}/package.json`);
    require.resolve(CALLER_PACKAGE);
    const library = join(dirname(manifest), "libchdb.so");
    if (!existsSync(library)) throw new Error(`${library} does not exist`);
    const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
    return { library, libraryVersion: version };
  } catch (cause) {
    throw new StoreError(
      "not-installed",
      `the embedded engine needs the packages ${LIBRARY_PACKAGE} and ${CALLER_PACKAGE}: ${(cause as Error).message.split("\n")[0]}`,
      { cause },
    );
  }
}
