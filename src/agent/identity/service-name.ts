import { posix } from "node:path";
import { FIRST_EPHEMERAL } from "./ephemeral-ports.ts";

/** By what a process was given the name of its service, the most certain first. */
export type NameOrigin =
  | "environment"
  | "command line"
  | "database"
  | "package.json"
  | "script"
  | "jar"
  | "class"
  | "module"
  | "unit"
  | "port"
  | "program";

export interface ServiceName {
  readonly name: string;
  readonly origin: NameOrigin;
}

/** What is known of a process. */
export interface ProcessFacts {
  /** only what can name a service; undefined where it is not to be read */
  readonly environment: ReadonlyMap<string, string> | undefined;
  /** of the command line; empty for threads of the kernel */
  readonly words: readonly string[];
  /** the kernel's name of at most 15 characters */
  readonly comm: string;
  /** file of the program, "" where it is not to be read */
  readonly program: string;
  /** folder in which it works, "" where it is not to be read */
  readonly folder: string;
  /** unit of systemd, "" outside of one */
  readonly unit: string;
  /** ports on which it listens, ascending */
  readonly ports: readonly number[];
  /** `name` of the package.json that a file belongs to, "" for none */
  readonly packageOf: (file: string) => string;
}

/** Program by the name of the service that a database's processes are together; as `db.system.name` and spans know them. */
const DATABASES: readonly (readonly [program: RegExp, name: string])[] = [
  [/^(?:postgres|postmaster)$/, "postgres"],
  [/^mysqld$/, "mysqld"],
  [/^mariadbd$/, "mariadbd"],
  [/^mongo[ds]$/, "mongod"],
  [/^redis-server$/, "redis-server"],
  [/^valkey-server$/, "valkey-server"],
  [/^memcached$/, "memcached"],
  [/^clickhouse(?:-server)?$/, "clickhouse-server"],
  [/^cockroach$/, "cockroach"],
];

/**
 * What listens there by default, of products that run under a runtime's name; that of another program says more than its
 * port: what listens on 5432 may be a proxy.
 */
const KNOWN_PORTS: readonly (readonly [program: RegExp, names: ReadonlyMap<number, string>])[] = [
  [
    /^java$/,
    new Map([
      [2181, "zookeeper"],
      [7687, "neo4j"],
      [8983, "solr"],
      [9042, "cassandra"],
      [9092, "kafka"],
      [9200, "elasticsearch"],
      [61_616, "activemq"],
    ]),
  ],
  [
    /^beam(?:\.smp)?$/,
    new Map([
      [5672, "rabbitmq"],
      [5984, "couchdb"],
    ]),
  ],
];
const SHELL = /^(?:ba|da|z|k|fi|a)?sh$/;

/** Names that say nothing: what a package or folder is called says more. */
const GENERIC = /^(?:index|main|server|app|start|cli|www|bootstrap|run|launch|entrypoint|manage|wsgi|asgi|worker)$/i;
const BUILD_FOLDER = /^(?:dist|src|lib|bin|build|out|app|server|\.output|release|target|usr|local)$/;

/** The name of the service that a process belongs to, by itself: nobody has to configure it. */
export function serviceName(facts: ProcessFacts): ServiceName {
  const program = programOf(facts);
  const database = DATABASES.find(([pattern]) => pattern.test(program));
  // Before the environment: a database that a service started has that service's.
  if (database !== undefined) return { name: database[1], origin: "database" };
  const told = SHELL.test(program) ? "" : byEnvironment(facts.environment);
  if (told !== "") return { name: told, origin: "environment" };
  const flag = facts.words.find((word) => word.startsWith("-Dotel.service.name="));
  if (flag !== undefined) return { name: flag.slice(flag.indexOf("=") + 1), origin: "command line" };
  const titled = byTitle(facts.words[0] ?? "");
  if (titled !== undefined) return titled;
  const byRuntime = RUNTIMES.find(([pattern]) => pattern.test(program))?.[1](facts);
  if (byRuntime !== undefined) return byRuntime;
  const unit = facts.unit.replace(/\.service$/, "").replace(/@.*$/, "");
  // A shell in a unit is a step of something else; what is logged in to runs in units of the user.
  if (unit !== "" && !SHELL.test(program) && !/^(?:user|session|init|ssh|sshd|getty|cron)$/.test(unit))
    return { name: unit, origin: "unit" };
  const listening = byPort(program, facts.ports);
  if (listening !== undefined) return { name: listening, origin: "port" };
  return { name: program === "" ? "unknown" : program, origin: "program" };
}

/** Of a program that is called as its runtime: a product by its default port, else the runtime and the port. */
function byPort(program: string, ports: readonly number[]): string | undefined {
  if (!RUNTIMES.some(([pattern]) => pattern.test(program))) return undefined;
  const names = KNOWN_PORTS.find(([pattern]) => pattern.test(program))?.[1];
  const known = ports.find((port) => names?.has(port) === true);
  if (known !== undefined) return names!.get(known)!;
  const own = ports.find((port) => port < FIRST_EPHEMERAL);
  return own === undefined ? undefined : `${program}:${own}`;
}

function programOf({ program, words, comm }: ProcessFacts): string {
  // A program that stands in memory alone has a number for a name.
  const name = program.startsWith("/memfd:") ? "" : posix.basename(program.replace(/ \(deleted\)$/, ""));
  if (name !== "") return name;
  // Of another user's process: what it was started as, unless it wrote something else there.
  const first = posix.basename(words[0] ?? "");
  return first !== "" && first.startsWith(comm) && !/[ :]/.test(first) ? first : comm;
}

/** OTEL_SERVICE_NAME before service.name of OTEL_RESOURCE_ATTRIBUTES, as the specification has it. */
function byEnvironment(environment: ReadonlyMap<string, string> | undefined): string {
  if (environment === undefined) return "";
  const name = environment.get("OTEL_SERVICE_NAME")?.trim() ?? "";
  if (name !== "") return name;
  const told = resourceAttributes(environment.get("OTEL_RESOURCE_ATTRIBUTES") ?? "").get("service.name") ?? "";
  if (told !== "") return told;
  return /-Dotel\.service\.name=(\S+)/.exec(environment.get("JAVA_TOOL_OPTIONS") ?? "")?.[1] ?? "";
}

/** `key=value,key=value`, values percent-encoded; what is no pair is left out. */
export function resourceAttributes(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const pair of text.split(",")) {
    const at = pair.indexOf("=");
    if (at <= 0) continue;
    const value = pair.slice(at + 1).trim();
    try {
      found.set(pair.slice(0, at).trim(), decodeURIComponent(value));
    } catch {
      found.set(pair.slice(0, at).trim(), value);
    }
  }
  return found;
}

/** Servers that write what they serve over their command line. */
function byTitle(title: string): ServiceName | undefined {
  const [, gunicorn] = /^gunicorn: (?:master|worker|arbiter) \[(.+)\]$/.exec(title) ?? [];
  if (gunicorn !== undefined) return { name: appOf(gunicorn), origin: "module" };
  const [, puma] = /^puma(?:: cluster worker)? .*\[(.+)\]$/.exec(title) ?? [];
  return puma === undefined ? undefined : { name: puma, origin: "script" };
}

/** `shop.wsgi:application` → "shop". */
const appOf = (target: string): string => {
  const parts = target.split(":")[0]!.split(".");
  return parts.length > 1 && GENERIC.test(parts.at(-1)!) ? parts.at(-2)! : parts.at(-1)!;
};

const RUNTIMES: readonly (readonly [program: RegExp, name: (facts: ProcessFacts) => ServiceName | undefined])[] = [
  [/^(?:node|nodejs|deno|bun|tsx)$/, byNodeScript],
  [/^java$/, byJava],
  [/^python[\d.]*$|^pypy[\d.]*$/, byPython],
  [/^(?:ruby|perl|php)[\d.]*$/, (facts) => byScript(facts, scriptOf(facts.words, /^-[IrEC]$/))],
  [/^dotnet$/, ({ words }) => byFile(words, /\.dll$/, "script")],
  [/^beam(?:\.smp)?$/, () => undefined],
];

/** Options of Node.js that take the next word. */
const NODE_TAKES = /^(?:--import|--require|-r|--loader|--experimental-loader|--env-file|-C|--conditions|--title)$/;

function byNodeScript(facts: ProcessFacts): ServiceName | undefined {
  const script = scriptOf(facts.words, NODE_TAKES);
  // Those that start others: npm, npx, yarn, pm2's daemon is a program of its own.
  if (script !== undefined && /(?:^|\/)(?:npm|npx|yarn|pnpm|corepack)(?:-cli)?(?:\.c?js)?$/.test(script))
    return { name: posix.basename(script).replace(/(?:-cli)?\.c?js$/, ""), origin: "program" };
  return byScript(facts, script);
}

/** The first word that is no option; undefined for a program on the command line or none. */
function scriptOf(words: readonly string[], takesNext: RegExp): string | undefined {
  for (let i = 1; i < words.length; i++) {
    const word = words[i]!;
    if (/^(?:-e|-p|-c|--eval|--print|-)$/.test(word)) return undefined;
    if (takesNext.test(word)) i++;
    else if (!word.startsWith("-")) return word;
  }
  return undefined;
}

function byScript(facts: ProcessFacts, script: string | undefined): ServiceName | undefined {
  if (script === undefined) return undefined;
  const path = posix.resolve(facts.folder === "" ? "/" : facts.folder, script);
  const name = posix.basename(script).replace(/\.(?:[cm]?[jt]sx?|pyc?|rb|pl|php)$/, "");
  if (!GENERIC.test(name)) return { name, origin: "script" };
  const named = facts.packageOf(path);
  if (named !== "") return { name: named.replace(/^@[^/]+\//, ""), origin: "package.json" };
  // A path that stands on a folder which is not known says no more than itself.
  if (facts.folder === "" && !script.startsWith("/")) return { name, origin: "script" };
  const folder = path
    .split("/")
    .slice(1, -1)
    .findLast((part) => !BUILD_FOLDER.test(part));
  return { name: folder ?? name, origin: "script" };
}

/** Options of java that take the next word. */
const JAVA_TAKES = /^(?:-cp|-classpath|--class-path|-p|--module-path|--add-\w+|-m|--module)$/;

function byJava({ words }: ProcessFacts): ServiceName | undefined {
  const jar = words.indexOf("-jar");
  if (jar > 0 && words[jar + 1] !== undefined) return byFile(words.slice(jar, jar + 2), /\.[jw]ar$/, "jar");
  const module = words.findIndex((word) => word === "-m" || word === "--module");
  const main = module > 0 ? words[module + 1] : scriptOf(words, JAVA_TAKES);
  if (main === undefined) return undefined;
  return { name: main.slice(Math.max(main.lastIndexOf("."), main.lastIndexOf("/")) + 1), origin: "class" };
}

/** Without folder, ending and version: `/app/orders-1.2.3-SNAPSHOT.jar` → "orders". */
function byFile(words: readonly string[], ending: RegExp, origin: NameOrigin): ServiceName | undefined {
  const file = words.find((word, i) => i > 0 && ending.test(word));
  if (file === undefined) return undefined;
  const name = posix
    .basename(file)
    .replace(ending, "")
    .replace(/[-_.]v?\d+(?:\.\d+)*(?:[-.](?:SNAPSHOT|RELEASE|FINAL|all|exec|boot|runner|RC\d*|M\d+))*$/i, "");
  return { name, origin };
}

function byPython(facts: ProcessFacts): ServiceName | undefined {
  const { words } = facts;
  const module = words.indexOf("-m");
  const name = module > 0 ? words[module + 1] : undefined;
  const script = name === undefined ? scriptOf(words, /^-[WX]$/) : undefined;
  const server = posix.basename(name ?? script ?? "");
  if (/^(?:gunicorn|uvicorn|hypercorn|daphne|waitress(?:-serve)?)$/.test(server)) {
    const app = words.slice(2).find((word) => /^[\w.]+:[\w.()]+$/.test(word));
    if (app !== undefined) return { name: appOf(app), origin: "module" };
  }
  if (server === "celery") {
    const app = words[words.findIndex((word) => word === "-A" || word === "--app") + 1];
    if (app !== undefined && words.some((word) => word === "-A" || word === "--app"))
      return { name: appOf(app), origin: "module" };
  }
  if (name !== undefined) return { name, origin: "module" };
  return byScript(facts, script);
}
