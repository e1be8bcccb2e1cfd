import { readFileSync } from "node:fs";
import { posix } from "node:path";
import type { ProcessPeek } from "../counters/process-peek.ts";
import type { SeenProcess } from "../counters/process-table.ts";
import { readRegular } from "../regular-file.ts";
import { cgroupIdentity, cgroupPaths, type CgroupIdentity } from "./cgroup-identity.ts";
import { databaseInstance } from "./database-instance.ts";
import { resourceAttributes, type ServiceName, serviceName } from "./service-name.ts";

/** Whose process it is. */
export interface ProcessIdentity extends ServiceName {
  readonly container: CgroupIdentity;
  /** by controller, "" for version 2 */
  readonly cgroups: ReadonlyMap<string, string>;
  /** attributes that its own telemetry carries as well: instance, namespace, version, environment */
  readonly attributes: ReadonlyMap<string, string>;
  /** file name of the program, "" where it is not to be read */
  readonly program: string;
  readonly podName: string;
  /** on which it listens, ascending */
  readonly ports: readonly number[];
  /** whether its environment could be read */
  readonly isReadable: boolean;
}

/** Of OTEL_RESOURCE_ATTRIBUTES, those by which telemetry of one process finds together. */
const SHARED = /^(?:service\.(?:namespace|version|instance\.id)|deployment\.environment(?:\.name)?|k8s\..+)$/;
/** Not `service.instance.id`: an instance has one limit of open files, and each process of a database has its own. */
const INSTANCE = "longpole.database.instance";
/** A process that has just begun is still what started it: what it runs shows a look or two later. */
const SETTLED_LOOKS = 3;

/** Finds out once for each process whose it is, and again while it is young. */
export class ProcessIdentities {
  private readonly known = new Map<
    number,
    { identity: ProcessIdentity; startTicks: number; looks: number; comm: string }
  >();
  private readonly peek: ProcessPeek;
  private readonly portsOf: (pid: number) => readonly number[];

  constructor(peek: ProcessPeek, portsOf: (pid: number) => readonly number[]) {
    this.peek = peek;
    this.portsOf = portsOf;
  }

  /** What was found out; undefined where that is not known yet, or is to be looked at again. */
  settled({ pid, stat, looks }: SeenProcess): ProcessIdentity | undefined {
    const held = this.known.get(pid);
    if (held === undefined || held.startTicks !== stat.startTicks || held.comm !== stat.name) return undefined;
    // What could not be read is tried again, less and less often: at the 4th look, the 8th, the 16th.
    const isSettled = held.identity.isReadable ? held.looks >= SETTLED_LOOKS : looks < 2 * held.looks;
    return isSettled || held.looks === looks ? held.identity : undefined;
  }

  /** Finds it out; undefined where the process has ended meanwhile. */
  async find({ pid, stat, looks }: SeenProcess): Promise<ProcessIdentity | undefined> {
    const identity = await this.identify(pid, stat.name, stat.parent);
    if (identity === undefined) this.known.delete(pid);
    else this.known.set(pid, { identity, startTicks: stat.startTicks, looks, comm: stat.name });
    return identity;
  }

  forget(pid: number): void {
    this.known.delete(pid);
  }

  /** Of a database: where its data is; a process that serves one connection has it of the one that began it. */
  private instanceOf(words: readonly string[], parent: number): (readonly [string, string])[] {
    const instance = databaseInstance(words) || (this.known.get(parent)?.identity.attributes.get(INSTANCE) ?? "");
    return instance === "" ? [] : [[INSTANCE, instance]];
  }

  private async identify(pid: number, comm: string, parent: number): Promise<ProcessIdentity | undefined> {
    let words: string[];
    let groups: string;
    try {
      words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").filter(Boolean);
      groups = readFileSync(`/proc/${pid}/cgroup`, "utf8");
    } catch {
      return undefined;
    }
    const facts = await this.peek.facts(pid);
    const environment = facts === undefined ? undefined : variables(facts.environment);
    const container = cgroupIdentity(groups);
    const ports = this.portsOf(pid);
    const name = serviceName({
      environment,
      words,
      comm,
      program: facts?.program ?? "",
      folder: facts?.folder ?? "",
      unit: container.unit,
      ports,
      packageOf: (file) => packageName(pid, file),
    });
    const own = resourceAttributes(environment?.get("OTEL_RESOURCE_ATTRIBUTES") ?? "");
    const shared = [...own].filter(([key]) => SHARED.test(key));
    // A database has the environment of whatever started it: what that says of a service is another one's.
    const attributes =
      name.origin === "database"
        ? new Map([...shared.filter(([key]) => !key.startsWith("service.")), ...this.instanceOf(words, parent)])
        : new Map(shared);
    const program = posix.basename((facts?.program ?? "").replace(/ \(deleted\)$/, ""));
    return {
      ...name,
      container,
      cgroups: cgroupPaths(groups),
      attributes,
      program: program === "" ? comm : program,
      podName: container.podUid === "" ? "" : (environment?.get("HOSTNAME") ?? ""),
      ports,
      isReadable: facts !== undefined,
    };
  }
}

function variables(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split("\0").flatMap((line) => {
      const at = line.indexOf("=");
      return at <= 0 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
    }),
  );
}

/** The largest that people write have some 100 kB. */
const MOST_PACKAGE_BYTES = 1 << 20;

/** `name` of the nearest package.json above a file, within the process's own root; "" where there is none to read. */
function packageName(pid: number, file: string): string {
  for (let folder = posix.dirname(file); ; folder = posix.dirname(folder)) {
    for (const root of [`/proc/${pid}/root`, ""]) {
      try {
        const { name } = JSON.parse(
          readRegular(`${root}${posix.join(folder, "package.json")}`, MOST_PACKAGE_BYTES),
        ) as {
          name?: unknown;
        };
        return typeof name === "string" ? name : "";
      } catch {
        // Not there, not to be read, no file, or no JSON: the next one above.
      }
    }
    if (folder === "/") return "";
  }
}
