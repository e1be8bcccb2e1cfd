import fc from "fast-check";
import { expect, test } from "vitest";
import { AttributeType } from "../model/attribute-table.ts";
import { MessageMemo } from "./message-memo.ts";

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** What the memo says of a message; a message it does not know is noted as `value`. */
function ask(memo: MessageMemo, bytes: Uint8Array, value: number): number | undefined {
  const words = viewOf(bytes);
  const entry = memo.find(words, 0, bytes.length);
  if (entry > 0) return memo.value(entry);
  memo.note(words, 0, bytes.length, 1, AttributeType.number, value);
  return undefined;
}

test("a message is known from the third time on, with its key, type and value", () => {
  const memo = new MessageMemo();
  const bytes = new TextEncoder().encode("xx http.route=/api/cart yy");
  const words = viewOf(bytes);
  for (let time = 0; time < 2; time++) {
    expect(memo.find(words, 3, 23)).toBe(0);
    memo.note(words, 3, 23, 7, AttributeType.json, 4_000_000);
  }
  const entry = memo.find(words, 3, 23);
  expect([memo.key(entry), memo.type(entry), memo.value(entry)]).toEqual([7, AttributeType.json, 4_000_000]);
  expect(memo.find(words, 3, 22)).toBe(0);
});

test.each([
  ["shorter than a word", 7],
  ["longer than is kept", 1025],
])("messages %s are not kept", (_, length) => {
  const memo = new MessageMemo();
  const bytes = new Uint8Array(length).fill(65);
  for (let time = 0; time < 4; time++) expect(ask(memo, bytes, 1)).toBeUndefined();
});

test("a zero and a minus zero are equal numbers but other bytes", () => {
  const memo = new MessageMemo();
  // The hash looks at 12 bytes; the first word is beyond them, so both have the same.
  const zero = new Uint8Array(40).fill(65).fill(0, 0, 8);
  const minusZero = zero.slice().fill(0x80, 7, 8);
  for (let time = 0; time < 3; time++) ask(memo, zero, 1);
  expect(ask(memo, minusZero, 2)).toBeUndefined();
});

test("messages that differ beyond the bytes of the hash are told apart", () => {
  const memo = new MessageMemo();
  const one = new Uint8Array(40).fill(65);
  const other = one.slice().fill(66, 1, 2);
  for (let time = 0; time < 3; time++) ask(memo, one, 1);
  expect(ask(memo, one, 1)).toBe(1);
  expect(ask(memo, other, 2)).toBeUndefined();
  ask(memo, other, 2);
  expect(ask(memo, other, 2)).toBe(2);
});

test("whatever is asked in whatever order: known messages have the meaning of their bytes", () => {
  // Few byte values, of which words of zeros, minus zeros and NaN are made, so that messages collide and repeat.
  const message = fc
    .array(fc.constantFrom(0, 0x80, 0x7f, 0xf0, 0xff, 65), { minLength: 8, maxLength: 20 })
    .map((bytes) => Uint8Array.from(bytes));
  const asked = fc.tuple(fc.array(message, { minLength: 1, maxLength: 6 }), fc.infiniteStream(fc.nat(5)));
  fc.assert(
    fc.property(asked, ([messages, order]) => {
      const memo = new MessageMemo();
      const texts = messages.map((bytes) => bytes.join());
      const wrong = [...order.take(40)].filter((pick) => {
        const which = pick % messages.length;
        const meaning = texts.indexOf(texts[which]!);
        return (ask(memo, messages[which]!, meaning) ?? meaning) !== meaning;
      });
      expect(wrong).toEqual([]);
    }),
    { seed: 5 },
  );
});

test("a full arena is begun anew", () => {
  const memo = new MessageMemo();
  const bytes = new Uint8Array(1000);
  // 2,000 messages of 125 words and a header need four times the arena's 65,536 words.
  for (let i = 0; i < 2000; i++) {
    bytes.fill(1 + (i % 251)).set([1 + (i >> 8), 1 + (i & 0x7f)], 998);
    for (let time = 0; time < 3; time++) {
      const known = ask(memo, bytes, i);
      if (known !== undefined) expect(known).toBe(i);
    }
    expect(ask(memo, bytes, i)).toBe(i);
  }
});
