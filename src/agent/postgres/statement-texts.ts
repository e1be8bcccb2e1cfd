import { normaliseStatement } from "../../analysis/statement.ts";

/** Characters of a statement that leave the host. */
const MOST = 2000;

/**
 * A statement as it may leave the database: without literals. The server takes them out of queries, but keeps those of
 * commands (`ALTER ROLE ... PASSWORD '...'`), and what a session runs at the moment has all of them.
 * A text that is cut ends in "…".
 */
export function statementText(text: string): string {
  const normal = normaliseStatement(text, "postgresql");
  return normal.length <= MOST ? normal : `${normal.slice(0, MOST)}…`;
}
