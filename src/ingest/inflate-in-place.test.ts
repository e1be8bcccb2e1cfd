import { gunzipSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { seededRandom } from "../testing/otlp-sample.ts";
import { makeInflater } from "./inflate-in-place.ts";

const inflater = makeInflater()!;
const random = seededRandom(11);

/** Text of few letters: it shrinks, and each piece differs. */
const textOf = (length: number): Buffer => Buffer.from(Array.from({ length }, () => 97 + Math.floor(random() * 6)));

test("this Node has what it needs", () => {
  expect(makeInflater()).toBeDefined();
});

test("the content of one member and of several, as gunzipSync gives it", () => {
  for (const sizes of [[0], [1], [100_000], [10, 0, 5000]]) {
    const sent = Buffer.concat(sizes.map((size) => gzipSync(textOf(size))));
    expect(Buffer.from(inflater.inflate(sent)!)).toEqual(gunzipSync(sent));
  }
});

test("what was cut or flipped at any byte is never content, unless gunzipSync takes it too", () => {
  const sent = gzipSync(textOf(300));
  for (let at = 0; at < sent.length; at++) {
    const flipped = Buffer.from(sent);
    flipped[at]! ^= 1 << Math.floor(random() * 8);
    for (const damaged of [sent.subarray(0, at), flipped]) expect(taken(damaged)).toEqual(takenByNode(damaged));
  }
  expect(taken(sent)).toEqual(takenByNode(sent));
});

test("what is larger than the memory is left to others, and the next is read as if nothing had been", () => {
  const bomb = gzipSync(Buffer.alloc(50 * 2 ** 20));
  const small = gzipSync(textOf(1000));
  const before = process.memoryUsage().arrayBuffers;
  expect(inflater.inflate(bomb)).toBeUndefined();
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
  expect(taken(small)).toEqual(takenByNode(small));
});

function taken(sent: Uint8Array): Buffer | undefined {
  const bytes = inflater.inflate(sent);
  return bytes && Buffer.from(bytes);
}

function takenByNode(sent: Uint8Array): Buffer | undefined {
  try {
    return gunzipSync(sent);
  } catch {
    return undefined;
  }
}
