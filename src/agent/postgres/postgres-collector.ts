import type { CollectorHooks } from "./collector-hooks.ts";
import { Observation } from "./observation.ts";
import { pause } from "./pause.ts";
import type { PostgresTarget } from "./postgres-target.ts";
import { troubleOf } from "./trouble.ts";

export interface PostgresCollector {
  /** Sends what was seen since the last report, and closes the connection. */
  stop(): Promise<void>;
}

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

/**
 * Looks at one database over one connection until it is stopped: samples what its sessions do, reports at each interval.
 * A database that cannot be reached is asked again after a pause that doubles up to a minute; each kind of trouble is told
 * once, and its end too. Never throws.
 */
export function startPostgresCollector(target: PostgresTarget, hooks: CollectorHooks): PostgresCollector {
  const stopping = new AbortController();
  const done = run(target, hooks, stopping.signal);
  return {
    stop: async () => {
      stopping.abort();
      await done;
    },
  };
}

async function run(target: PostgresTarget, hooks: CollectorHooks, signal: AbortSignal): Promise<void> {
  let pauseMs = FIRST_PAUSE_MS;
  let trouble = "";
  // Outlives connections, so that what is counted while one is down is not lost.
  const observation = new Observation(target, hooks);
  while (!signal.aborted) {
    try {
      await observation.connected(signal, () => {
        if (trouble !== "") hooks.tell("info", `PostgreSQL ${target.name}: answers again`);
        trouble = "";
        pauseMs = FIRST_PAUSE_MS;
      });
    } catch (error) {
      const text = troubleOf(error, target);
      if (text !== trouble) hooks.tell("warn", `PostgreSQL ${target.name}: ${text}; it is asked again by itself`);
      trouble = text;
      await observation.away(text);
      await pause(pauseMs, signal);
      pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs);
    }
  }
}
