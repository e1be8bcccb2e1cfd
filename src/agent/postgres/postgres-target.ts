/** A database to look at, and how closely. */
export interface PostgresTarget {
  /** as it was given; may hold a password, and is never shown */
  readonly url: string;
  /** "host:port/database", for people and as `service.instance.id` */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly intervalMs: number;
  /** between two looks at what the sessions are doing */
  readonly sampleMs: number;
  /** statements that are told one by one, most time first; the others are summed */
  readonly topStatements: number;
  /** whether plans are asked for (EXPLAIN without ANALYZE) */
  readonly plans: boolean;
}

export interface TargetOptions {
  readonly intervalMs?: number;
  readonly sampleMs?: number;
  readonly topStatements?: number;
  readonly plans?: boolean;
}

/** The message is what a person is told: it never holds the password. */
export class PostgresTargetError extends Error {
  override readonly name = "PostgresTargetError";
}

/** As Prometheus exporters are asked, a few times a minute; a diagnosis looks at windows of minutes. */
const INTERVAL_MS = 10_000;
/** pg_stat_activity costs a fraction of a millisecond; in ten minutes a wait of 1 % of the time is seen six times. */
const SAMPLE_MS = 1000;
const TOP_STATEMENTS = 50;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * "postgres://role@host:5432/database", with what it leaves out from PGHOST, PGPORT, PGUSER and PGDATABASE as libpq
 * does. Throws PostgresTargetError.
 */
export function postgresTarget(
  text: string,
  options: TargetOptions = {},
  environment: Environment = process.env,
): PostgresTarget {
  const expected = "expected postgres://ROLE@HOST:PORT/DATABASE";
  if (!/^postgres(ql)?:\/\//.test(text)) {
    // Another form ("host=... password=...") may hold a password: nothing of it is repeated.
    throw new PostgresTargetError(`PostgreSQL: ${expected}, found a text that does not begin with postgres://`);
  }
  if (!URL.canParse(text) || !isDecodable(new URL(text)))
    throw new PostgresTargetError(`PostgreSQL: ${expected}, found a URL that cannot be read`);
  const url = new URL(text);
  const host = decodeURIComponent(url.hostname) || url.searchParams.get("host") || environment["PGHOST"] || "localhost";
  const port = Number(url.port || url.searchParams.get("port") || environment["PGPORT"] || 5432);
  const user = decodeURIComponent(url.username) || url.searchParams.get("user") || environment["PGUSER"] || "";
  if (user === "") throw new PostgresTargetError(`PostgreSQL: ${expected}, found no role in the URL and no PGUSER`);
  const database = decodeURIComponent(url.pathname.slice(1)) || environment["PGDATABASE"] || user;
  const { intervalMs = INTERVAL_MS, topStatements = TOP_STATEMENTS, plans = false } = options;
  const sampleMs = Math.min(options.sampleMs ?? SAMPLE_MS, intervalMs);
  const name = `${host}:${port}/${database}`;
  return { url: text, name, host, port, user, database, intervalMs, sampleMs, topStatements, plans };
}

/** Whether what is percent-encoded in it is UTF-8. */
function isDecodable({ hostname, username, password, pathname }: URL): boolean {
  try {
    return decodeURIComponent(hostname + username + password + pathname) !== "";
  } catch {
    return false;
  }
}
