import { connect } from "../connect.ts";
import type { Connection } from "../connection.ts";
import type { Retention } from "../schema/migrate.ts";
import type { Store } from "../store.ts";
import { Engine, type EngineOptions } from "./engine.ts";

export interface Embedded {
  readonly store: Store;
  /** its state, process and restarts */
  readonly engine: Engine;
  /** Closes the store, then ends the engine. */
  close(): Promise<void>;
}

/** A store on an engine of its own, in a folder. Throws StoreError: "not-installed", "locked", "engine-broken", "newer-schema". */
export async function openEmbedded(options: EngineOptions & { readonly retention?: Retention }): Promise<Embedded> {
  const engine = await Engine.start(options);
  try {
    const store = await connect(
      connectionTo(engine),
      options.retention === undefined ? {} : { retention: options.retention },
    );
    const close = async (): Promise<void> => {
      await store.close();
      await engine.stop();
    };
    return { store, engine, close };
  } catch (error) {
    await engine.stop();
    throw error;
  }
}

function connectionTo(engine: Engine): Connection {
  const { user, password } = engine.writer;
  return { urls: [engine.url], user, password, database: "longpole", reader: engine.reader };
}
