import type { ProcessLedger } from "../../model/process-ledger.ts";
import { attributeText, findAttribute } from "../../model/attribute-table.ts";
import { oncePerWindow } from "../once-per-window.ts";
import type { Window } from "../window.ts";

export interface MatchedLedgers {
  readonly services: ReadonlyMap<string, readonly ProcessLedger[]>;
  /** ledgers that could not be joined with the traces, and why */
  readonly warnings: readonly string[];
}

/**
 * Whose process each ledger is: the service that it names itself; else a file called `<service>-<n>` or `<service>` after a
 * service, or a database, of the traces; else the service whose spans name its process id; else its program. Agents tell of all
 * processes of their host: those of nobody are passed over in silence.
 */
export function matchLedgers(
  window: Window,
  recordings: readonly ProcessLedger[],
  ofAgents: readonly ProcessLedger[] = [],
): MatchedLedgers {
  const known = knownNames(window);
  const services = new Map<string, ProcessLedger[]>();
  const strangers: string[] = [];
  for (const ledger of [...recordings, ...ofAgents]) {
    const file = ledger.source.slice(ledger.source.lastIndexOf("/") + 1);
    const stem = file.replace(/(?:\.(?:record|ledger|json|gz|zst))+$/, "");
    const byPid = servicesByPid(window).get(ledger.pid) ?? new Set();
    const candidates = [
      ledger.service,
      stem,
      stem.replace(/-\d+$/, ""),
      ...(byPid.size === 1 ? byPid : []),
      ledger.name,
    ];
    const service = candidates.find((name) => known.has(name));
    if (service !== undefined) services.set(service, [...(services.get(service) ?? []), ledger]);
    else if (!ofAgents.includes(ledger)) strangers.push(file);
  }
  const names = `${strangers.slice(0, 4).join(", ")}${strangers.length > 4 ? ", ..." : ""}`;
  const advice = "SERVICE-0.json as a name says whose they are";
  return {
    services,
    warnings:
      strangers.length === 0
        ? []
        : [`recordings of no process in these traces, which are not used: ${names} (${advice})`],
  };
}

/** Services of the spans, and what they call. */
const knownNames = oncePerWindow(({ paths, text }): ReadonlySet<string> => {
  const ids = new Set([...paths.service, ...paths.callee].filter((id) => id >= 0));
  return new Set([...ids].map((id) => text(id)).filter((name) => name !== ""));
});

/** A process id is one machine's: of two machines with the same one nobody knows which is meant. */
const servicesByPid = oncePerWindow((window): ReadonlyMap<number, ReadonlySet<string>> => {
  const found = new Map<number, Set<string>>();
  for (const { service, pid } of processesOfSpans(window)) {
    if (!(pid > 0)) continue;
    found.set(pid, (found.get(pid) ?? new Set()).add(service));
  }
  return found;
});

export interface SpanProcess {
  readonly service: string;
  /** NaN where spans do not tell */
  readonly pid: number;
  readonly host: string;
  /** a runtime whose single thread serves all requests of the process */
  readonly isEventLoop: boolean;
}

/** One entry per service and resource of the spans. */
export const processesOfSpans: (window: Window) => readonly SpanProcess[] = oncePerWindow((window) => {
  const { spans, facts, forest, text } = window;
  const seen = new Map<string, SpanProcess>();
  for (const row of forest.rows) {
    const key = `${facts.service[row]!} ${spans.resource[row]!}`;
    if (seen.has(key)) continue;
    const runtime = `${resourceText(window, row, "process.runtime.name")} ${resourceText(window, row, "telemetry.sdk.language")}`;
    const pid = Number(resourceText(window, row, "process.pid") || Number.NaN);
    const host = resourceText(window, row, "host.name");
    // Node.js, Deno and Bun run all JavaScript of a process in one thread.
    const isEventLoop = /\b(?:nodejs|node|deno|bun)\b/i.test(runtime);
    seen.set(key, { service: text(facts.service[row]!), pid, host, isEventLoop });
  }
  return [...seen.values()];
});

function resourceText({ spans }: Window, row: number, key: string): string {
  const at = findAttribute(spans.resources, spans.resource[row]!, spans.strings.intern(key));
  return at < 0 ? "" : attributeText(spans.resources, spans.strings, at);
}
