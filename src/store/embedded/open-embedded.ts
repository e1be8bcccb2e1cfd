import { connect, prepareTables } from "../connect.ts";
import type { Connection } from "../connection.ts";
import { DEFAULT_RETENTION, type Retention } from "../schema/migrate.ts";
import type { Store } from "../store.ts";
import { Engine, type EngineOptions } from "./engine.ts";

export interface Embedded {
  readonly store: Store;
  /** its state, process and restarts */
  readonly engine: Engine;
  /** Closes the store, then ends the engine. */
  close(): Promise<void>;
}

interface EmbeddedOptions extends EngineOptions {
  readonly retention?: Retention;
}

/** A store on an engine of its own, in a folder. Throws StoreError: "not-installed", "locked", "engine-broken", "newer-schema". */
export async function openEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const { opened, ...embedded } = await beginEmbedded(options);
  try {
    await opened;
  } catch (error) {
    await embedded.close();
    throw error;
  }
  return embedded;
}

/**
 * The same from before the engine answers: until `opened` resolves, the store is "unreachable" to who asks it. Throws
 * "not-installed" and "locked"; the others are told by `opened`.
 */
export async function beginEmbedded(options: EmbeddedOptions): Promise<Embedded & { readonly opened: Promise<void> }> {
  const engine = await Engine.prepare(options);
  const connection = connectionTo(engine);
  const store = await connect(connection, { isMigrated: true });
  const tell = options.log ?? (() => {});
  const open = async (): Promise<void> => {
    await phase(tell, "the engine answered", () => engine.launch());
    await phase(tell, "the tables were looked at", () =>
      prepareTables(connection, options.retention ?? DEFAULT_RETENTION),
    );
  };
  const close = async (): Promise<void> => {
    await store.close();
    await engine.stop();
  };
  return { store, engine, opened: open(), close };
}

/** Tells of what took longer than a second. */
async function phase(tell: (line: string) => void, what: string, work: () => Promise<void>): Promise<void> {
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1000;
  if (seconds >= 1) tell(`${what} in ${seconds.toFixed(1)} s`);
}

function connectionTo(engine: Engine): Connection {
  const { user, password } = engine.writer;
  return { urls: [engine.url], user, password, database: "longpole", reader: engine.reader };
}
