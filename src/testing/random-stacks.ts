import fc from "fast-check";
import { StackTableBuilder } from "../model/stack-table-builder.ts";
import { FRAME_KINDS, type FrameKind, type StackTable } from "../model/stack-table.ts";

const name = fc.oneof(
  fc.constantFrom("main", "parse", "std::map<int, a>::operator[]", "Regexp: ^(a)$ b", "日本", "x 12", "<&\"'>"),
  fc.string({ minLength: 1, maxLength: 6 }),
);

const frame = fc.record({
  name,
  file: fc.constantFrom("", "/srv/a.ts", "node:fs", "/usr/lib/libc.so.6"),
  line: fc.integer({ min: -1, max: 500 }).map((line) => (line === 0 ? 1 : line)),
  kind: fc.integer({ min: 0, max: FRAME_KINDS.length - 1 }),
});

const sample = fc.record({
  frames: fc.array(fc.nat(11), { maxLength: 6 }),
  value: fc.nat(1_000_000),
  type: fc.nat(2),
  time: fc.oneof(fc.constant(-1), fc.nat(1e9)),
  thread: fc.nat(2),
  label: fc.option(fc.record({ key: fc.constantFrom("span_id", "tid"), value: fc.nat(3), isText: fc.boolean() })),
});

const TYPES = [
  ["samples", "count"],
  ["cpu", "nanoseconds"],
  ["alloc_space", "bytes"],
] as const;

/** Profiles of up to 30 samples, with names that formats stumble over; equal tables are built from equal draws. */
export const anyStacks: fc.Arbitrary<StackTable> = fc
  .record({
    frames: fc.array(frame, { minLength: 12, maxLength: 12 }),
    samples: fc.array(sample, { maxLength: 30 }),
    types: fc.shuffledSubarray([0, 1, 2], { minLength: 1 }),
    services: fc.array(fc.constantFrom("", "ingest", "orders"), { minLength: 3, maxLength: 3 }),
  })
  .map(({ frames, samples, types, services }) => {
    const into = new StackTableBuilder();
    const text = (value: string): number => into.strings.intern(value);
    const typeIndex = types.map((type) => into.valueType(TYPES[type]![0], TYPES[type]![1]));
    into.defaultValue = typeIndex.at(-1)!;
    const threads = services.map((service, i) =>
      into.thread(into.process({ service: text(service), name: text(`p${i}`), pid: i }), 100 + i),
    );
    for (const one of samples) {
      let stack = -1;
      for (const at of one.frames) {
        const { name: called, file, line, kind } = frames[at]!;
        stack = into.stack(stack, into.frame(text(called), text(file), line, kind as FrameKind));
      }
      const label = one.label === null ? [] : [{ ...one.label, key: text(one.label.key) }];
      const set = into.labelSet(label.map((l) => ({ ...l, value: l.isText ? text(`v${l.value}`) : l.value })));
      const row = into.sample(stack, threads[one.thread]!, one.time, set);
      into.setValue(row, typeIndex[one.type % typeIndex.length]!, one.value);
    }
    return into.finish();
  });
