import { Intake } from "../../model/intake.ts";
import type { Report } from "../../model/report.ts";
import { SpanTableBuilder } from "../../model/span-table-builder.ts";
import type { SpanTable } from "../../model/span-table.ts";
import { decodeOtlpJson } from "../../formats/otlp-json.ts";
import { analyze } from "../commands/analyze.ts";
import { diagnose } from "../commands/diagnose.ts";
import { predictChanges } from "../commands/what-if.ts";
import { EXIT } from "../exit-code.ts";
import { readInputs } from "../read-inputs.ts";
import { ServerClient } from "../server-client.ts";
import type { Terminal } from "../terminal.ts";
import { bounded, briefReport } from "./brief.ts";
import { isObject, RpcError, RpcErrorCode } from "./json-rpc.ts";
import { traceText } from "./trace-text.ts";

/** A tool as `tools/list` names it. */
export interface Tool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: ToolSchema;
  /** the answer as text; throws ToolError for what the caller can mend */
  readonly call: (given: Arguments, session: ToolSession) => Promise<string>;
}

interface ToolSchema {
  readonly type: "object";
  readonly properties: Readonly<Record<string, PropertySchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties: false;
}

type PropertySchema = { readonly description: string } & (
  | { readonly type: "string" }
  | { readonly type: "array"; readonly items: { readonly type: "string" }; readonly minItems: 1 }
);

export type Arguments = Readonly<Record<string, string | readonly string[]>>;

export interface ToolSession {
  readonly terminal: Terminal;
  /** aborted when the caller does not want the answer any more */
  readonly signal: AbortSignal;
}

/** What a tool could not do, told to the assistant as the tool's answer. */
export class ToolError extends Error {
  override readonly name: string = "ToolError";
}

const text = (description: string): PropertySchema => ({ type: "string", description });
const texts = (description: string): PropertySchema => ({
  type: "array",
  items: { type: "string" },
  minItems: 1,
  description,
});

const WINDOW = {
  url: text("the server's API; by default LONGPOLE_URL, or http://127.0.0.1:7077"),
  last: text("the time up to now, as 90s, 15m or 12h; by default 15m"),
  from: text("instead of last: start, as 2026-01-31T12:00:00Z or nanoseconds since 1970"),
  to: text("end, written like from; by default now"),
};
const FILES = texts("recordings or folders of them: OTLP, Jaeger, Zipkin, Prometheus, profiles");
const ENDPOINT = text('only endpoints with this in "SERVICE OPERATION"');
const BOUND = "The answer is a bounded summary: what is left out is counted.";

export const TOOLS: readonly Tool[] = [
  {
    name: "diagnose",
    description: `What makes a running system slow, from a Longpole server: ranked findings with evidence, what speaks against each, the fix, and the p99 to expect with it. ${BOUND}`,
    inputSchema: schema({
      ...WINDOW,
      endpoint: ENDPOINT,
      baseline: text("compare with: auto (before the last rise, default), none, 1h (so much earlier), FROM/TO"),
    }),
    call: async (given, session) => {
      const options = { ...liveOptions(given, session), ...named(given, ["endpoint", "baseline"]), ...PLAIN, every: 1 };
      return briefOf(await captured(session, (terminal) => diagnose(options, terminal)));
    },
  },
  {
    name: "analyze",
    description: `The same diagnosis of recorded traces, metrics and profiles in files. ${BOUND}`,
    inputSchema: schema({ files: FILES, baseline: texts("recordings of better times"), endpoint: ENDPOINT }, ["files"]),
    call: async (given, session) => {
      const options = { ...named(given, ["endpoint"]), ...PLAIN };
      const baseline = given["baseline"];
      const all = Array.isArray(baseline) ? { ...options, baseline: baseline as readonly string[] } : options;
      return briefOf(await captured(session, (terminal) => analyze(listOf(given, "files"), all, terminal)));
    },
  },
  {
    name: "what_if",
    description:
      "The p50, p95, p99 and ceiling to expect under changes, from files or from a server. A change is as a finding's remedy.whatIf has it, for example service=orders,operation=SELECT orders,time=0.1",
    inputSchema: schema({ changes: texts("changes that happen together"), files: FILES, ...WINDOW }, ["changes"]),
    call: async (given, session) => {
      const live = given["files"] === undefined ? liveOptions(given, session) : {};
      const options = { ...live, ...PLAIN, change: listOf(given, "changes") };
      const files = given["files"] === undefined ? [] : listOf(given, "files");
      return bounded(await captured(session, (terminal) => predictChanges(files, options, terminal)));
    },
  },
  {
    name: "trace",
    description: "One trace as an indented list of its spans, from a server or from files. At most 150 spans.",
    inputSchema: schema({ traceId: text("32 hexadecimal digits"), files: FILES, url: WINDOW.url }, ["traceId"]),
    call: async (given, session) => {
      const id = String(given["traceId"]).toLowerCase().padStart(32, "0");
      if (!/^[0-9a-f]{32}$/.test(id)) throw new ToolError("traceId: expected up to 32 hexadecimal digits");
      const spans =
        given["files"] === undefined ? await spansOfServer(id, given, session) : await spansOfFiles(given, session);
      const shown = traceText(spans, id);
      if (shown === undefined) throw new ToolError(`no trace ${id} there`);
      return bounded(shown);
    },
  },
];

/** Arguments as the tool's schema has them; throws RpcError "invalid params" that names what is wrong. */
export function argumentsOf({ name, inputSchema }: Tool, given: unknown): Arguments {
  const wrong = (what: string): never => {
    throw new RpcError(RpcErrorCode.invalidParams, `${name}: ${what}`);
  };
  if (!isObject(given)) return wrong("expected arguments by name");
  for (const key of inputSchema.required ?? []) if (given[key] === undefined) wrong(`${key} is missing`);
  for (const [key, value] of Object.entries(given)) {
    const property = inputSchema.properties[key];
    if (property === undefined)
      return wrong(`${key} is no argument; there are ${Object.keys(inputSchema.properties).join(", ")}`);
    const isText = typeof value === "string" && value !== "";
    const isTexts = Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string");
    if (property.type === "string" ? !isText : !isTexts)
      wrong(`${key}: expected ${property.type === "string" ? "a text" : "a list of texts"}`);
  }
  return given as Arguments;
}

function schema(properties: ToolSchema["properties"], required?: readonly string[]): ToolSchema {
  return { type: "object", properties, ...(required === undefined ? {} : { required }), additionalProperties: false };
}

const PLAIN = { json: true, quiet: true, color: false } as const;

function named(given: Arguments, keys: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    keys.flatMap((key) => (typeof given[key] === "string" ? [[key, given[key]]] : [])),
  ) as Record<string, string>;
}

const listOf = (given: Arguments, key: string): readonly string[] => given[key] as readonly string[];

function liveOptions(given: Arguments, { terminal }: ToolSession): { url: string } & Record<string, string> {
  const url = terminal.environment["LONGPOLE_URL"] || "http://127.0.0.1:7077";
  return { url, ...named(given, ["url", "last", "from", "to"]) };
}

/** What a command writes to standard output; what it says on standard error, as a ToolError, where it could not do it. */
async function captured(
  { terminal, signal }: ToolSession,
  command: (terminal: Terminal) => Promise<number>,
): Promise<string> {
  let out = "";
  let err = "";
  const code = await command({
    ...terminal,
    out: (data) => void (out += typeof data === "string" ? data : Buffer.from(data).toString()),
    err: (data) => void (err += data),
    outIsTty: false,
    errIsTty: false,
    onInterrupt: (callback) => {
      signal.addEventListener("abort", callback, { once: true });
      return () => signal.removeEventListener("abort", callback);
    },
  });
  // An answer from a part of what was asked for would pass for the whole one.
  if (code === EXIT.unusable) throw new ToolError(bounded(err.trim().replace(/^longpole: /gm, "")));
  return out;
}

const briefOf = (json: string): string => bounded(JSON.stringify(briefReport(JSON.parse(json) as Report), null, 1));

async function spansOfServer(id: string, given: Arguments, session: ToolSession): Promise<SpanTable> {
  const client = new ServerClient(liveOptions(given, session), session.terminal.environment);
  const json = await client.get(`/api/v1/trace/${id}`, session.signal);
  const builder = new SpanTableBuilder();
  decodeOtlpJson(new TextEncoder().encode(json), builder, new Intake(), client.url, 0);
  return builder.finish().table;
}

async function spansOfFiles(given: Arguments, { signal }: ToolSession): Promise<SpanTable> {
  const { spans, intake } = await readInputs(listOf(given, "files"), () => {}, signal);
  if (intake.errors[0] !== undefined && spans.rowCount === 0) throw new ToolError(intake.errors[0].message);
  return spans;
}
