import { codeProfile, type CodeProfile } from "../../analysis/code-profile.ts";
import { mergeStackTables } from "../../model/merge-stack-tables.ts";
import { labelText, type StackTable } from "../../model/stack-table.ts";
import { processesOfSpans } from "../ledger/services-of-ledgers.ts";
import type { Window } from "../window.ts";
import { ofServingThreads } from "./serving-threads.ts";

/** A profile that was given with the traces. */
export interface ProfileInput {
  /** the file that it was read from */
  readonly source: string;
  readonly stacks: StackTable;
  /** the service, where the user said it */
  readonly service?: string;
}

/** What the profiles of one service say of its processor time. */
export interface ServiceCode {
  readonly service: string;
  readonly sources: readonly string[];
  readonly stacks: StackTable;
  readonly profile: CodeProfile;
  /** the value looked at: "wall" of a thread, or "cpu" */
  readonly valueType: string;
  /** share of the time of its thread that it was busy, mean over its processes; NaN where the profile does not tell */
  readonly busyShare: number;
  /** profiles of the same service that tell what was allocated */
  readonly allocations?: readonly ProfileInput[];
  /** where `profile` is of the samples within one endpoint's spans alone */
  readonly link?: EndpointLink;
}

/** How samples were tied to an endpoint. */
export interface EndpointLink {
  /** "GET /orders" */
  readonly operation: string;
  /** busy samples of the service that carry the id of a span, whosever */
  readonly linkedSamples: number;
  readonly busySamples: number;
}

export interface MatchedProfiles {
  readonly services: ReadonlyMap<string, ServiceCode>;
  /** all profiles that are of a service, also those that tell no processor time */
  readonly inputs: ReadonlyMap<string, readonly ProfileInput[]>;
  /** profiles that could not be joined with the traces, and why */
  readonly warnings: readonly string[];
}

/** What pprof, the JVM's recorder and Longpole's hook call bytes that were allocated, freed or not. */
export const ALLOCATED = "alloc_space";

const tellsAllocations = ({ stacks: { valueTypes } }: ProfileInput): boolean =>
  valueTypes.some(({ type }) => type === ALLOCATED);

/** Values that stand for processor time, best first: nanoseconds before counts of samples. */
const TIMES = ["cpu", "wall", "task-clock", "cpu-clock", "cycles", "samples"];

/**
 * Finds the service of each profile: what the user said; else a file named `<service>-<n>` or `<service>` after a
 * service of the traces; else what the profile itself says (`service.name`, the name of the process); else
 * the only service there is. A profile whose time is known and lies outside of the traces' is not used.
 * Of an event loop's process, wall time is that of the thread that serves requests.
 */
export function matchProfiles(window: Window, inputs: readonly ProfileInput[]): MatchedProfiles {
  const known = servicesOf(window);
  const loops = new Set(processesOfSpans(window).flatMap((one) => (one.isEventLoop ? [one.service] : [])));
  const found = new Map<string, ProfileInput[]>();
  const warnings: string[] = [];
  const strangers: string[] = [];
  for (const input of inputs) {
    const service = serviceOf(input, known);
    const elsewhere = whenElse(window, input.stacks);
    if (service === undefined) strangers.push(baseName(input.source));
    else if (elsewhere !== undefined) warnings.push(`${baseName(input.source)}: ${elsewhere}`);
    else {
      const stacks = loops.has(service) ? ofServingThreads(input.stacks) : input.stacks;
      found.set(service, [...(found.get(service) ?? []), { ...input, stacks }]);
    }
  }
  if (strangers.length > 0) {
    const names = `${strangers.slice(0, 4).join(", ")}${strangers.length > 4 ? ", ..." : ""}`;
    warnings.push(
      `profiles of no service in these traces, which are not used: ${names} (SERVICE-0.cpuprofile as a name, or --service, says whose they are)`,
    );
  }
  const services = new Map<string, ServiceCode>();
  for (const [service, profiles] of found) {
    const code = serviceCode(service, profiles);
    const allocations = profiles.filter(tellsAllocations);
    if (code !== undefined) services.set(service, { ...code, allocations });
  }
  return { services, inputs: found, warnings };
}

function servicesOf({ paths, text }: Window): Set<string> {
  return new Set(Array.from(new Set(paths.service), text));
}

function serviceOf({ service, source, stacks }: ProfileInput, known: ReadonlySet<string>): string | undefined {
  if (service !== undefined) return known.has(service) ? service : undefined;
  const base = baseName(source);
  const stem = base.replace(/(?:\.(?:cpuprofile|heapprofile|pprof|pb|folded|txt|perf|collapsed|gz|zst))+$/, "");
  const candidates = [stem, stem.replace(/-\d+$/, ""), ...namesWithin(stacks)];
  const named = candidates.find((name) => known.has(name));
  if (named !== undefined) return named;
  return known.size === 1 ? [...known][0] : undefined;
}

const LABELS = ["service.name", "service_name", "service"];

/** Names that a profile gives itself: of its processes, in its labels. */
function namesWithin(stacks: StackTable): string[] {
  const { processes, strings, labels } = stacks;
  const names = [...processes.service, ...processes.name].map((id) => strings.get(id));
  for (let set = 0; set < labels.listCount; set++) for (const key of LABELS) names.push(labelText(stacks, set, key));
  return [...new Set(names)].filter((name) => name !== "");
}

/** Clocks of hosts differ, and a profile may begin with the process: only one that lies clearly apart is left out. */
const SLACK_NS = 60e9;

function whenElse({ forest, spans }: Window, { processes }: StackTable): string | undefined {
  const from = processes.startUnixNs.reduce((least, at) => (least < 0n || (at >= 0n && at < least) ? at : least), -1n);
  if (from < 0n || forest.rows.length === 0) return undefined;
  const start = Number(from - spans.baseUnixNs);
  const end =
    start +
    Math.max(
      0,
      processes.durationNs.reduce((most, ns) => Math.max(most, ns), 0),
    );
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const row of forest.rows) {
    first = Math.min(first, forest.startNs[row]!);
    last = Math.max(last, forest.endNs[row]!);
  }
  const apart = Math.max(start - last, first - end);
  return apart > SLACK_NS ? "recorded at another time than the traces; not used" : undefined;
}

function serviceCode(service: string, inputs: readonly ProfileInput[]): ServiceCode | undefined {
  // Values of different kinds do not add up: one kind of all the profiles is taken, the best whose functions have names.
  // A profile from outside sees compiled code without any.
  let first: ServiceCode | undefined;
  for (const type of TIMES) {
    const used = inputs.filter(({ stacks }) => hasTime(stacks, type) && stacks.samples.rowCount > 0);
    if (used.length === 0) continue;
    const code = codeOfType(service, used, type);
    if (code.profile.busySamples > 0 && namedShare(code) >= NAMED) return code;
    first ??= code;
  }
  return first;
}

function codeOfType(service: string, used: readonly ProfileInput[], valueType: string): ServiceCode {
  const stacks = mergeStackTables(used.map((input) => input.stacks));
  const column = timeColumn(stacks, valueType);
  const values = stacks.samples.values[column]!;
  // Samples of other kinds in the same table have nothing of this one.
  const profile = codeProfile(stacks, values, (row) => values[row]! > 0);
  const lengthNs = stacks.processes.durationNs.reduce((sum, ns) => sum + Math.max(0, ns), 0);
  const isNanoseconds = stacks.valueTypes[column]!.unit === "nanoseconds";
  // Of a thread's wall time idling is a part; of processor time it is what is missing from the length of the recording.
  const all = valueType === "wall" ? profile.total : isNanoseconds && lengthNs > 0 ? lengthNs : Number.NaN;
  return {
    service,
    sources: used.map(({ source }) => source),
    stacks,
    profile,
    valueType,
    busyShare: profile.busy / all,
  };
}

/** Of the code's time so much has to be in functions that are known. */
const NAMED = 0.5;

function namedShare({ profile }: ServiceCode): number {
  const code = profile.classes.find(({ work }) => work === "code");
  if (code === undefined || code.value === 0) return 0;
  return code.functions.reduce((sum, { value }) => sum + value, 0) / code.value;
}

/** Counts of samples stand beside other values in profiles of memory, too; times do only where they were sampled as well. */
const hasTime = ({ valueTypes }: StackTable, wanted: string): boolean =>
  valueTypes.some(({ type }) => bare(type) === wanted) &&
  !(wanted === "samples" && valueTypes.some(({ unit }) => unit === "bytes"));

/** The column of a type of values, however it was counted. */
export const timeColumn = ({ valueTypes }: StackTable, valueType: string): number =>
  valueTypes.findIndex(({ type }) => bare(type) === valueType);

/** "cycles:ppp" → "cycles". */
const bare = (type: string): string => type.replace(/:.*$/, "");

const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
