import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Intake, type InputError } from "../model/intake.ts";
import { assertStackTable, type StackTable } from "../model/stack-table.ts";
import { encodeProfiles, profilesRequestType, type ProfilesRelease } from "../testing/otlp-profiles-sample.ts";
import { anyStacks } from "../testing/random-stacks.ts";
import { plainStacks } from "../testing/stacks-from-text.ts";
import { detectKind } from "./detect-kind.ts";
import { decodeOtlpProfiles } from "./otlp-profiles.ts";
import { decodeOtlpProfilesJson } from "./otlp-profiles-json.ts";
import { foldedLines } from "./write-folded.ts";
import { writeOtlpProfiles } from "./write-otlp-profiles.ts";

const START = 1_790_000_000_000_000_000n;
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

const STRINGS = [
  "",
  "samples",
  "count",
  "cpu",
  "nanoseconds",
  "main",
  "app.ts",
  "parse",
  "thread.name",
  "libc.so.6",
  "code",
  "wall",
];

const DICTIONARY = {
  mappingTable: [{}, { filenameStrindex: 9 }],
  // 1: main, 2: parse with an inlined callee of no name, 3: an address in a library
  locationTable: [
    {},
    { lines: [{ functionIndex: 1, line: 3 }] },
    { lines: [{ functionIndex: 2, line: 40 }] },
    { mappingIndex: 1, address: 0x2724a },
  ],
  functionTable: [{}, { nameStrindex: 5, filenameStrindex: 6, startLine: 1 }, { nameStrindex: 7, filenameStrindex: 6 }],
  linkTable: [{}, { traceId: Buffer.from(TRACE, "hex"), spanId: Buffer.from(SPAN, "hex") }],
  stringTable: STRINGS,
  attributeTable: [
    {},
    { keyStrindex: 8, value: { stringValue: "worker" } },
    { keyStrindex: 10, value: { intValue: -7 } },
    { keyStrindex: 10, value: { stringValueStrindex: 3 } },
  ],
  stackTable: [{}, { locationIndices: [2, 1] }, { locationIndices: [3, 1] }],
};

const RESOURCE = {
  attributes: [
    { key: "service.name", value: { stringValue: "orders" } },
    { key: "process.pid", value: { intValue: 42 } },
  ],
};

/** Two samples at three moments, one of them within a span. */
const PROFILE = {
  sampleType: { typeStrindex: 1, unitStrindex: 2 },
  samples: [
    {
      stackIndex: 1,
      linkIndex: 1,
      attributeIndices: [1, 2],
      timestampsUnixNano: [String(START + 5n), String(START + 25n)],
    },
    { stackIndex: 2, attributeIndices: [3], timestampsUnixNano: [String(START + 15n)] },
  ],
  timeUnixNano: String(START),
  durationNano: 1_000_000_000,
  periodType: { typeStrindex: 3, unitStrindex: 4 },
  period: 10_000_000,
};

const request = (...profiles: object[]): { resourceProfiles: object[]; dictionary: typeof DICTIONARY } => ({
  resourceProfiles: [{ resource: RESOURCE, scopeProfiles: [{ profiles }] }],
  dictionary: DICTIONARY,
});

function decode(bytes: Uint8Array, decoder = decodeOtlpProfiles): { table: StackTable; errors: readonly InputError[] } {
  const intake = new Intake();
  const table = decoder(bytes, intake, "p.pb");
  assertStackTable(table);
  return { table, errors: intake.errors };
}

const first = (bytes: Uint8Array): InputError | undefined => decode(bytes).errors[0];

describe("what protobufjs writes of release 1.10", () => {
  const process = [0, "", "orders", 42, "p.pb", START, 1e9];
  const expected = {
    types: [
      { type: "samples", unit: "count" },
      { type: "cpu", unit: "nanoseconds" },
    ],
    // What it stands for is what is looked at.
    default: { type: "cpu", unit: "nanoseconds" },
    samples: [
      ...[5, 25].map((time) => ({
        stack: ["main@app.ts:3 user", "parse@app.ts:40 user"],
        values: [1, 10_000_000],
        time,
        thread: [0, -1, "worker"],
        process,
        labels: [
          ["code", -7],
          ["trace_id", TRACE],
          ["span_id", SPAN],
        ],
      })),
      {
        stack: ["main@app.ts:3 user", "[libc.so.6]@libc.so.6:-1 native"],
        values: [1, 10_000_000],
        time: 15,
        thread: [1, -1, ""],
        process,
        labels: [["code", "cpu"]],
      },
    ],
  };

  test("protobuf", () => {
    const { table, errors } = decode(encodeProfiles("1.10", request(PROFILE)));
    expect(errors).toEqual([]);
    expect(plainStacks(table)).toEqual(expected);
  });

  test("JSON, as a document and in lines", () => {
    const type = profilesRequestType("1.10");
    const json = type.toObject(type.fromObject(request(PROFILE)), { longs: String }) as ReturnType<typeof request>;
    // OTLP's JSON has ids in hexadecimal digits.
    json.dictionary.linkTable = [{}, { traceId: TRACE, spanId: SPAN }] as never;
    const document = Buffer.from(JSON.stringify(json, undefined, 2));
    expect(plainStacks(decode(document, decodeOtlpProfilesJson).table)).toEqual(expected);
    expect(detectKind(document)).toMatchObject({ kind: "profile", format: "otlp-profiles-json", inLines: false });
    const lines = Buffer.from(`${JSON.stringify(json)}\n{"resourceSpans":[]}\n${JSON.stringify(json)}\n`);
    expect(detectKind(lines)).toMatchObject({ kind: "profile", inLines: true });
    expect(decode(lines, decodeOtlpProfilesJson).table.samples.rowCount).toBe(6);
  });

  test("requests behind their lengths, as the Collector writes them", () => {
    const one = encodeProfiles("1.10", request(PROFILE));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(one.length);
    const file = Buffer.concat([length, one, length, one]);
    expect(detectKind(file)).toMatchObject({ format: "otlp-profiles" });
    expect(decode(file).table.samples.rowCount).toBe(6);
    expect(first(file.subarray(0, -1))!.message).toBe(
      `p.pb at byte ${one.length + 4}: expected a request of ${one.length} bytes, found ${one.length - 1} bytes before the end`,
    );
  });
});

describe("shapes of samples", () => {
  const of = (sample: object, type = PROFILE.sampleType): StackTable =>
    decode(encodeProfiles("1.10", request({ sampleType: type, timeUnixNano: String(START), samples: [sample] }))).table;
  const values = (table: StackTable): number[] => [...table.samples.values[0]!];

  test("a total without a time; a value for each time; each time counts one", () => {
    const total = of({ stackIndex: 1, values: [10] });
    expect([values(total), [...total.samples.timeOffsetNs]]).toEqual([[10], [-1]]);
    const each = of({
      stackIndex: 1,
      values: [2, 2, 3],
      timestampsUnixNano: [1n, 2n, 3n].map((n) => String(START + n)),
    });
    expect([values(each), [...each.samples.timeOffsetNs]]).toEqual([
      [2, 2, 3],
      [1, 2, 3],
    ]);
    expect(values(of({ stackIndex: 1, timestampsUnixNano: [1n, 2n].map((n) => String(START + n)) }))).toEqual([1, 1]);
  });

  test("negative values, as a difference has them", () => {
    expect(values(of({ stackIndex: 1, values: ["-5"] }))).toEqual([-5]);
  });

  test("times before the profile's make the earliest the start", () => {
    const table = of({ stackIndex: 1, timestampsUnixNano: [START - 10n, START + 1n].map(String) });
    expect(table.processes.startUnixNs[0]).toBe(START - 10n);
    expect([...table.samples.timeOffsetNs]).toEqual([0, 11]);
  });

  test("several types of one profile become one row per sample", () => {
    const samples = [
      { stackIndex: 1, values: [3] },
      { stackIndex: 2, values: [4] },
    ];
    const time = {
      sampleType: { typeStrindex: 3, unitStrindex: 4 },
      samples: samples.map((s) => ({ ...s, values: [s.values[0]! * 10] })),
    };
    const { table } = decode(
      encodeProfiles("1.10", request({ ...PROFILE, period: 0, samples }, { ...PROFILE, ...time })),
    );
    expect(table.valueTypes.map(({ type }) => type)).toEqual(["samples", "cpu"]);
    expect(table.samples.values.map((column) => [...column])).toEqual([
      [3, 4],
      [30, 40],
    ]);
    expect(table.processes.rowCount).toBe(1);
  });

  test.each([
    [{ stackIndex: 9, values: [1] }, "expected a stack among the 3 of the dictionary, found stack 9"],
    [{ stackIndex: 1, values: [1], linkIndex: 2 }, "expected a link among the 2 of the dictionary, found link 2"],
    [
      { stackIndex: 1, values: [1], attributeIndices: [8] },
      "expected a attribute among the 4 of the dictionary, found attribute 8",
    ],
    [
      { stackIndex: 1, values: [1, 2], timestampsUnixNano: [1] },
      "expected as many values as times (1), found 2 values",
    ],
  ])("%j is refused, and the others are kept", (bad, message) => {
    const { table, errors } = decode(
      encodeProfiles("1.10", request({ ...PROFILE, samples: [bad, { stackIndex: 1, values: [1] }] })),
    );
    expect(errors.map((error) => error.message.replace(/^.*?: /, ""))).toEqual([message]);
    expect(errors[0]!.byteOffset).toBeGreaterThan(0);
    expect(table.samples.rowCount).toBe(1);
  });
});

describe("other releases are refused by name, never misread", () => {
  const old = { locationsStartIndex: 0, locationsLength: 2, values: [5] };
  const scope = (profile: object): object => ({
    resourceProfiles: [{ resource: RESOURCE, scopeProfiles: [{ profiles: [profile] }] }],
  });
  const CASES: readonly (readonly [ProfilesRelease, object, string])[] = [
    [
      "1.3",
      scope({
        profileId: Buffer.alloc(16, 1),
        startTimeUnixNano: String(START),
        endTimeUnixNano: String(START),
        profile: { stringTable: ["", "a"] },
      }),
      "1.3.0",
    ],
    [
      "1.4",
      scope({ sampleType: [{ typeStrindex: 1 }], samples: [old], mappingTable: [{}], stringTable: STRINGS }),
      "1.4.0 or 1.5.0",
    ],
    ["1.6", { ...scope({ samples: [old], locationIndices: [1, 2], timeNanos: 1 }), stringTable: STRINGS }, "1.6.0"],
    ["1.7", { ...scope({ samples: [old], locationIndices: [1, 2] }), dictionary: { stringTable: STRINGS } }, "1.7.0"],
    ["1.7", { ...scope({ samples: [old], timeNanos: String(START) }), dictionary: { stringTable: STRINGS } }, "1.7.0"],
    [
      "1.7",
      { ...scope({ samples: [] }), dictionary: { attributeTable: [{ key: "a", value: { intValue: 1 } }] } },
      "1.7.0",
    ],
    // Values where 1.10 has attributes; attributes where it has the link; the link where it has values.
    ["1.8", request({ ...PROFILE, samples: [{ stackIndex: 1, values: [7] }] }), "1.8.0 or 1.9.0"],
    ["1.8", request(PROFILE), "1.8.0 or 1.9.0"],
    ["1.8", request({ ...PROFILE, samples: [{ stackIndex: 1, values: [1], linkIndex: 1 }] }), "1.8.0 or 1.9.0"],
    // As many values as times: 900 is no attribute of the four there are; 2 may be one.
    [
      "1.8",
      request({ ...PROFILE, samples: [{ stackIndex: 1, values: [900], timestampsUnixNano: [String(START)] }] }),
      "1.8.0 or 1.9.0",
    ],
    [
      "1.8",
      request({ ...PROFILE, samples: [{ stackIndex: 1, values: [2], timestampsUnixNano: [String(START)] }] }),
      "1.9.0 or 1.10.0, which this request does not tell apart",
    ],
  ];
  test.each(CASES)("%s %#", (release, content, layout) => {
    const bytes = encodeProfiles(release, content);
    const { table, errors } = decode(bytes);
    expect(table.samples.rowCount).toBe(0);
    expect(errors.map(({ code, found }) => `${code}: ${found}`)).toEqual([
      `unsupported: profiles of opentelemetry-proto ${layout} (a newer sender or collector writes the present layout)`,
    ]);
    expect(detectKind(bytes)).toMatchObject({ kind: "profile" });
  });

  test("in JSON by their names", () => {
    const named = (text: string): string =>
      decode(Buffer.from(text), decodeOtlpProfilesJson)
        .errors.map(({ found }) => found.split(" ")[3])
        .join();
    const profile = (content: string): string => `{"resourceProfiles":[{"scopeProfiles":[{"profiles":[${content}]}]}]}`;
    expect(named(profile('{"sample":[{"stackIndex":1}]}'))).toBe("1.8.0");
    expect(named(profile('{"sample":[],"timeNanos":"1"}'))).toBe("1.7.0");
    expect(named(profile('{"string_table":[""]}'))).toBe("1.4.0");
    expect(named('{"resourceProfiles":[],"stringTable":[""]}')).toBe("1.6.0");
  });
});

describe("damage", () => {
  test("JSON that ends early, and values of another type, by byte or path", () => {
    const error = (text: string): string => decode(Buffer.from(text), decodeOtlpProfilesJson).errors[0]!.message;
    expect(error('{"resourceProfiles":[{"sc')).toBe(
      "p.pb at byte 25: expected '\"' at the end of a string, found the end of the input",
    );
    expect(error('{"resourceProfiles":{}}')).toBe(
      "p.pb at byte 0: expected an array as request.resourceProfiles, found {}",
    );
    expect(error('{"dictionary":{"linkTable":[{"traceId":"12"}]},"resourceProfiles":[]}')).toBe(
      'p.pb at byte 0: expected 32 hexadecimal digits as request.dictionary.linkTable[0].traceId, found "12"',
    );
  });

  test("cut anywhere it is told with a byte; changed anywhere it throws nothing", () => {
    const whole = encodeProfiles("1.10", request(PROFILE));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const intake = new Intake();
        decodeOtlpProfiles(whole.subarray(0, at), intake, "p.pb");
        const changed = whole.slice();
        changed[at] = changed[at]! ^ by;
        assertStackTable(decodeOtlpProfiles(changed, new Intake(), "p.pb"));
      }),
      { numRuns: 500, seed: 1 },
    );
    expect(first(whole.subarray(0, whole.length - 1))).toMatchObject({ code: "truncated" });
  });
});

describe("writing", () => {
  test("what is read again is the same, sample by sample", () => {
    fc.assert(
      fc.property(anyStacks, (table) => {
        const again = decode(writeOtlpProfiles(table));
        expect(again.errors).toEqual([]);
        expect(observations(again.table)).toEqual(observations(table));
      }),
      { numRuns: 30, seed: 3 },
    );
  });

  test("protobufjs reads it: a row 0 of none in each table, references within them, links as ids", () => {
    const { table } = decode(encodeProfiles("1.10", request(PROFILE)));
    const type = profilesRequestType("1.10");
    const bytes = writeOtlpProfiles(table, { scope: "longpole", resource: { "host.name": "h1" } });
    const read = type.toObject(type.decode(bytes), { longs: String, bytes: String }) as {
      resourceProfiles: {
        resource: unknown;
        scopeProfiles: { scope: unknown; profiles: { samples: unknown[] }[] }[];
      }[];
      dictionary: Record<string, unknown[]>;
    };
    for (const name of ["mappingTable", "locationTable", "functionTable", "linkTable", "attributeTable", "stackTable"])
      expect(read.dictionary[name]![0], name).toEqual({});
    expect(read.dictionary["stringTable"]![0]).toBe("");
    const [resource] = read.resourceProfiles;
    expect(resource!.resource).toEqual({
      attributes: [
        { key: "service.name", value: { stringValue: "orders" } },
        { key: "process.pid", value: { intValue: "42" } },
        { key: "host.name", value: { stringValue: "h1" } },
      ],
    });
    expect(resource!.scopeProfiles[0]!.scope).toEqual({ name: "longpole" });
    expect(resource!.scopeProfiles[0]!.profiles.map(({ samples }) => samples.length)).toEqual([2, 2]);
    expect(read.dictionary["linkTable"]![1]).toEqual({
      traceId: Buffer.from(TRACE, "hex").toString("base64"),
      spanId: Buffer.from(SPAN, "hex").toString("base64"),
    });
    const again = decode(bytes).table;
    expect([...foldedLines(again)].sort()).toEqual([...foldedLines(table)].sort());
  });
});

/** Each value other than zero with its stack, thread, labels and time on the calendar, in any order. */
function observations(table: StackTable): string[] {
  const { samples, threads, processes, strings } = table;
  const plain = plainStacks(table) as { samples: { stack: string[]; labels: unknown[]; thread: unknown[] }[] };
  return plain.samples
    .flatMap(({ stack, labels, thread }, row) => {
      const process = threads.process[samples.thread[row]!]!;
      const start = processes.startUnixNs[process]!;
      const offset = samples.timeOffsetNs[row]!;
      const time = start < 0n || offset < 0 ? "" : String(start + BigInt(offset));
      const facts = [processes.service[process]!, processes.name[process]!].map((id) => strings.get(id));
      const names = stack.map((frame) => frame.slice(0, frame.lastIndexOf("@")));
      return table.valueTypes.flatMap(({ type, unit }, i) => {
        const value = Math.round(samples.values[i]![row]!);
        return value === 0 ? [] : [JSON.stringify([names, labels, thread.slice(1), facts, time, type, unit, value])];
      });
    })
    .sort();
}
