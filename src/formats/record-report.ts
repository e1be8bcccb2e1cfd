import { InputError } from "../model/intake.ts";
import { LEDGER_KINDS, type LedgerKind, type SyscallRow } from "../model/record-report.ts";
import type { LedgerThread, ProcessLedger } from "../model/process-ledger.ts";

const NS_PER_MS = 1e6;

/**
 * What `longpole record --json` wrote: where the threads of one process spent their time. Its findings are not taken: they
 * know no requests. Throws InputError that names the field.
 */
export function decodeRecordReport(bytes: Uint8Array, file: string): ProcessLedger {
  const fail = (field: string, expected: string, found: unknown): never => {
    const text = found === undefined ? "nothing" : (JSON.stringify(found) ?? "nothing").slice(0, 60);
    throw new InputError("malformed", { file, byteOffset: -1, expected: `${expected} at ${field}`, found: text });
  };
  const object = (value: unknown, field: string): Fields =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Fields)
      : fail(field, "an object", value);
  const list = (value: unknown, field: string): unknown[] =>
    Array.isArray(value) ? value : fail(field, "a list", value);
  const text = (value: unknown, field: string): string =>
    typeof value === "string" ? value : fail(field, "a text", value);
  const amount = (value: unknown, field: string): number =>
    typeof value === "number" && value >= 0 ? value : fail(field, "a number of at least 0", value);
  const kindOf = (value: unknown, field: string): LedgerKind =>
    (LEDGER_KINDS as readonly unknown[]).includes(value)
      ? (value as LedgerKind)
      : fail(field, `one of ${LEDGER_KINDS.join(", ")}`, value);
  const unixNs = (value: unknown, field: string): bigint =>
    /^\d{1,19}$/.test(text(value, field)) ? BigInt(value as string) : fail(field, "nanoseconds since 1970", value);

  const report = object(parsed(bytes, file), "the document");
  const recording = object(report["recording"], "recording");
  const threads = list(recording["threads"], "recording.threads").map((value, i): LedgerThread => {
    const at = `recording.threads[${i}]`;
    const thread = object(value, at);
    const wallNs = amount(thread["wallMs"], `${at}.wallMs`) * NS_PER_MS;
    const times = list(thread["ledger"], `${at}.ledger`).map((row, j) => {
      const where = `${at}.ledger[${j}]`;
      const fields = object(row, where);
      const kind = kindOf(fields["timeKind"], `${where}.timeKind`);
      const ns = amount(fields["share"], `${where}.share`) * wallNs;
      // Recordings of before this was told: what waits for the network or sleeps may be without anything to do.
      const isUnsure = kind === "network" || kind === "sleep";
      const idle = fields["idleShare"] === undefined ? (isUnsure ? ns : 0) : undefined;
      return { kind, ns, idleNs: Math.min(ns, idle ?? amount(fields["idleShare"], `${where}.idleShare`) * wallNs) };
    });
    const name = text(thread["name"], `${at}.name`);
    return { pid: amount(thread["pid"], `${at}.pid`), tid: amount(thread["tid"], `${at}.tid`), name, wallNs, times };
  });
  const parts = list(report["ledger"], "ledger").flatMap((value, i) => {
    const row = object(value, `ledger[${i}]`);
    const kind = kindOf(row["timeKind"], `ledger[${i}].timeKind`);
    return list(row["parts"], `ledger[${i}].parts`).map((part, j) => {
      const at = `ledger[${i}].parts[${j}]`;
      const fields = object(part, at);
      return { kind, what: text(fields["what"], `${at}.what`), ns: amount(fields["ms"], `${at}.ms`) * NS_PER_MS };
    });
  });
  const preemptedBy = list(recording["preemptedBy"] ?? [], "recording.preemptedBy").map((value, i) => {
    const at = `recording.preemptedBy[${i}]`;
    const fields = object(value, at);
    return {
      pid: amount(fields["pid"], `${at}.pid`),
      name: text(fields["name"], `${at}.name`),
      count: amount(fields["count"], `${at}.count`),
    };
  });
  const syscalls = list(recording["syscalls"] ?? [], "recording.syscalls").map((value, i): SyscallRow => {
    const at = `recording.syscalls[${i}]`;
    const fields = object(value, at);
    return {
      syscall: text(fields["syscall"], `${at}.syscall`),
      cpuMs: amount(fields["cpuMs"], `${at}.cpuMs`),
      waitMs: amount(fields["waitMs"], `${at}.waitMs`),
      waits: amount(fields["waits"], `${at}.waits`),
      frame: text(fields["frame"], `${at}.frame`),
      kernelPath: list(fields["kernelPath"], `${at}.kernelPath`).map((name) => text(name, `${at}.kernelPath`)),
    };
  });
  const window = object(report["window"], "window");
  return {
    source: file,
    service: recording["service"] === undefined ? "" : text(recording["service"], "recording.service"),
    name: text(recording["name"], "recording.name"),
    pid: amount(recording["pid"], "recording.pid"),
    startUnixNs: unixNs(window["startUnixNs"], "window.startUnixNs"),
    durationNs: amount(recording["durationMs"], "recording.durationMs") * NS_PER_MS,
    threads,
    parts: parts.sort((a, b) => b.ns - a.ns),
    preemptedBy,
    syscalls,
  };
}

type Fields = Readonly<Record<string, unknown>>;

function parsed(bytes: Uint8Array, file: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new InputError("malformed", { file, byteOffset: -1, expected: "JSON of longpole record", found });
  }
}
