import { startPostgresCollector } from "../agent/postgres/postgres-collector.ts";
import { postgresTarget } from "../agent/postgres/postgres-target.ts";
import type { PostgresSettings } from "../server/config/settings.ts";
import type { Log } from "../server/log.ts";
import type { Longpole } from "../server/start-longpole.ts";

/**
 * Looks at the databases that the settings name, and gives what is seen to the server's own receiver. Throws
 * PostgresTargetError for a URL that cannot be read, before anything begins. The function starts it, and gives how to stop.
 */
export function watchPostgres(
  settings: readonly PostgresSettings[],
): (longpole: Pick<Longpole, "takeMetrics">, log: Log) => () => Promise<void> {
  const targets = settings.map(({ url, ...options }) => postgresTarget(url, options));
  return (longpole, log) => {
    const collectors = targets.map((target) =>
      startPostgresCollector(target, {
        send: async (body) => {
          const refused = await longpole.takeMetrics(body);
          if (refused !== "") throw new Error(refused);
        },
        tell: (level, text) => log(level, "database", { text }),
      }),
    );
    return async () => {
      await Promise.all(collectors.map((collector) => collector.stop()));
    };
  };
}
