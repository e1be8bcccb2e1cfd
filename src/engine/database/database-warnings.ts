import { percent } from "../wording.ts";
import type { DatabaseStatistics } from "./database-statistics.ts";

/** From this share of a database's time on, statements without a text are worth a word. */
const NAMELESS = 0.2;

/** What the databases' own statistics leave open, and the command that mends it. */
export function databaseWarnings(statistics: DatabaseStatistics | undefined): string[] {
  if (statistics === undefined) return [];
  return [
    ...statistics.missing.map(({ what, mend }) => `PostgreSQL: ${what}${mend === "" ? "" : ` (${mend})`}`),
    ...statistics.databases
      .filter(({ namelessSeconds, statementSeconds }) => namelessSeconds > NAMELESS * statementSeconds)
      .map(
        ({ database, namelessSeconds, statementSeconds }) =>
          `PostgreSQL: ${percent(namelessSeconds / statementSeconds)} of the time of ${database} is for statements that are told as a sum, without their texts`,
      ),
  ];
}
