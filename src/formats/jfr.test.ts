import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Intake, type InputError } from "../model/intake.ts";
import { assertStackTable, framesOfStack, labelText, type StackTable } from "../model/stack-table.ts";
import { detectKind } from "./detect-kind.ts";
import { decodeJfr } from "./jfr.ts";

/*
 * src/testing/jfr holds recordings of Orders.java by JDK 17 and 25 and, for each, what that JDK's own `jfr print --json`
 * says of it: a line per event with type, start, duration, weight, thread and stack, the outermost call first.
 */
const FOLDER = join(import.meta.dirname, "../testing/jfr");

function decode(bytes: Uint8Array): { table: StackTable; errors: readonly InputError[] } {
  const intake = new Intake();
  const table = decodeJfr(bytes, intake, "a.jfr");
  assertStackTable(table);
  return { table, errors: intake.errors };
}

const TYPES: Readonly<Record<string, string>> = {
  "jdk.ExecutionSample": "cpu",
  "jdk.NativeMethodSample": "native",
  "jdk.ObjectAllocationSample": "alloc_space",
  "jdk.JavaMonitorEnter": "lock",
  "jdk.ThreadPark": "park",
  "jdk.ThreadSleep": "sleep",
};

/** The period that the recording was made with. */
const PERIOD_NS: Readonly<Record<string, number>> = { "jdk.ExecutionSample": 10e6, "jdk.NativeMethodSample": 20e6 };

/** "2026-11-26T01:13:31.859015983Z" → nanoseconds, to the microsecond: conversions of ticks differ in how they round. */
const microsecondsOf = (time: string): bigint => {
  const [, seconds, fraction] = /^(.*?)(?:\.(\d+))?Z$/.exec(time)!;
  return BigInt(Date.parse(`${seconds}Z`)) * 1000n + BigInt(Math.round(Number((fraction ?? "").padEnd(9, "0")) / 1000));
};

const plainName = (frame: string): string =>
  frame.replaceAll("/", ".").replace(/(\$\$Lambda)(?:\$\d+)?[+.]0x[\da-f]+(?:\.\d+)?/, "$1");

/** Type, moment, value, thread and stack of each event, sorted. */
function printed(version: number): string[] {
  const lines = readFileSync(join(FOLDER, `orders-${version}.txt`), "utf8")
    .trimEnd()
    .split("\n");
  return lines
    .map((line) => {
      const [event, time, duration, weight, thread, stack] = line.split("\t") as [string, ...string[]];
      const seconds = /^PT([\d.]+)S$/.exec(duration!)?.[1];
      const value =
        PERIOD_NS[event] ?? (seconds === undefined ? Number(weight) : Math.round(Number(seconds) * 1e6) * 1e3);
      const frames = stack === "" ? [] : stack!.split(";").map(plainName);
      return JSON.stringify([TYPES[event], String(microsecondsOf(time!)), value, thread, frames]);
    })
    .sort();
}

function read(table: StackTable): string[] {
  const { samples, threads, processes, frames, stacks, strings } = table;
  return Array.from(samples.stack, (stack, row) => {
    const type = table.valueTypes.findIndex((_, i) => samples.values[i]![row] !== 0);
    const value = samples.values[type]![row]!;
    const isWait = !["cpu", "native", "alloc_space"].includes(table.valueTypes[type]!.type);
    const thread = samples.thread[row]!;
    const at = processes.startUnixNs[threads.process[thread]!]! + BigInt(samples.timeOffsetNs[row]!);
    const names = framesOfStack(stacks, stack).map((f) => `${strings.get(frames.function[f]!)}:${frames.line[f]!}`);
    const moment = (at + 500n) / 1000n;
    const rounded = isWait ? Math.round(value / 1e3) * 1e3 : value;
    return JSON.stringify([
      table.valueTypes[type]!.type,
      String(moment),
      rounded,
      strings.get(threads.name[thread]!),
      names,
    ]);
  }).sort();
}

describe.each([17, 25])("a recording of JDK %d", (version) => {
  const bytes = gunzipSync(readFileSync(join(FOLDER, `orders-${version}.jfr.gz`)));

  test("holds what the JDK's own tool prints of it, event by event", () => {
    const { table, errors } = decode(bytes);
    expect(errors).toEqual([]);
    const events = read(table);
    expect(events).toHaveLength(version === 17 ? 645 : 738);
    expect(events).toEqual(printed(version));
    expect(detectKind(bytes.subarray(0, 64))).toMatchObject({ kind: "profile", format: "jfr" });
  });

  test("names process, service's threads, and the class of what was waited for", () => {
    const { table } = decode(bytes);
    const { processes, strings, samples } = table;
    expect(strings.get(processes.name[0]!)).toBe("demo.Orders");
    expect(processes.pid[0]).toBeGreaterThan(0);
    const lock = table.valueTypes.findIndex(({ type }) => type === "lock");
    const row = samples.values[lock]!.findIndex((value) => value > 0);
    expect(labelText(table, samples.labelSet[row]!, "object")).toBe("java.lang.Object");
  });

  test("two chunks one after another are two processes' stretches", () => {
    const { table, errors } = decode(Buffer.concat([bytes, bytes]));
    expect(errors).toEqual([]);
    expect([table.samples.rowCount, table.processes.rowCount]).toEqual([2 * decode(bytes).table.samples.rowCount, 2]);
  });
});

describe("damage", () => {
  const bytes = gunzipSync(readFileSync(join(FOLDER, "orders-17.jfr.gz")));
  const message = (damaged: Uint8Array): string => decode(damaged).errors[0]!.message;

  test("a file that ends early is told with the byte; where its metadata is there, its events are kept", () => {
    expect(message(bytes.subarray(0, -1))).toBe(
      `a.jfr at byte ${bytes.length - 1}: expected a chunk of ${bytes.length} bytes, found the end of the file 1 bytes earlier`,
    );
    expect(message(bytes.subarray(0, 20))).toBe("a.jfr at byte 16: expected 8 bytes, found 4 bytes before the end");
    expect(decode(bytes.subarray(0, 1000)).table.samples.rowCount).toBe(0);
  });

  test("behind a whole chunk a cut one: the first is kept", () => {
    const { table, errors } = decode(Buffer.concat([bytes, bytes.subarray(0, 500)]));
    expect(table.samples.rowCount).toBe(645);
    expect(errors[0]).toMatchObject({ code: "truncated", byteOffset: bytes.length + 500 });
  });

  test("other versions and other bytes", () => {
    const old = Uint8Array.from(bytes);
    old[5] = 1;
    expect(message(old)).toBe("a.jfr at byte 4: expected JFR of version 2 (JDK 9 and later), found version 1.1");
    expect(message(Buffer.concat([bytes, Buffer.from("nonsense")]))).toBe(
      `a.jfr at byte ${bytes.length}: expected a chunk of a JFR recording (FLR), found other bytes`,
    );
    const still = Uint8Array.from(bytes);
    still.fill(0, 56, 64);
    expect(message(still)).toBe("a.jfr at byte 56: expected ticks per second, found 0");
  });

  test("changed anywhere it throws nothing but what it tells", () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const changed = Uint8Array.from(bytes);
        changed[at] = changed[at]! ^ by;
        const table = decodeJfr(changed, new Intake(), "a.jfr");
        assertStackTable(table);
        expect(table.samples.rowCount).toBeLessThanOrEqual(645);
      }),
      { numRuns: 60, seed: 5 },
    );
  });
});
