import type { DatabaseStatistics } from "../database/database-statistics.ts";
import { serverName, serversOf, statisticsAt } from "../database/database-servers.ts";
import { ofInstance, type ServiceMeasure } from "../resources/service-measures.ts";
import { together, type CheckResult, type ConfigurationCheck, type ConfigurationCase } from "./configuration-check.ts";
import { perService } from "./per-service.ts";

/** A check of each server that has a database: the sum of a primary and its replica is a figure of neither. */
export function perServer(
  what: string,
  judge: (
    database: string,
    measures: readonly ServiceMeasure[],
    statistics: DatabaseStatistics | undefined,
    theCase: ConfigurationCase,
  ) => CheckResult,
): ConfigurationCheck {
  return {
    what,
    run: (theCase) =>
      perService(what, (database, measures) => {
        const own = measures.filter(({ measure }) => measure.startsWith("db-"));
        const servers = [...serversIn(own)];
        const at = (server: string): DatabaseStatistics | undefined => statisticsAt(theCase.database, database, server);
        // Two collectors that tell different figures of one server may call it differently: nothing is summed there.
        const kinds = [...new Set(own.map(({ measure }) => measure))];
        const isSummed = kinds.some((kind) => serversIn(own.filter(({ measure }) => measure === kind)).size > 1);
        if (!isSummed) return judge(database, measures, at(servers[0] ?? ""), theCase);
        return together(
          servers.map((server) =>
            saidOf(judge(database, ofInstance(own, server), at(server), theCase), serverName(server, database)),
          ),
        );
      }).run(theCase),
  };
}

const serversIn = (measures: readonly ServiceMeasure[]): ReadonlySet<string> =>
  new Set(measures.flatMap(({ instances }) => instances.map(({ instance }) => instance)));

/** The result with the server's name, where others have a database of the same name. */
export function namedServer(
  result: CheckResult,
  statistics: DatabaseStatistics,
  { database, server }: { readonly database: string; readonly server: string },
): CheckResult {
  return serversOf(statistics, database).size <= 1 ? result : saidOf(result, serverName(server, database));
}

function saidOf({ problems, fine }: CheckResult, server: string): CheckResult {
  return {
    problems: problems.map((problem) => ({
      ...problem,
      server,
      resource: `${problem.resource} on ${server}`,
      title: `${problem.title} (${server})`,
      arithmetic: `${server}: ${problem.arithmetic}`,
    })),
    fine: fine.map((one) => ({ ...one, text: `${one.text} (${server})` })),
  };
}
