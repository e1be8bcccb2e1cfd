import { execFileSync } from "node:child_process";
import { deflateRawSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { InputError } from "../model/intake.ts";
import { decompress } from "./decompress.ts";

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

/** All that came out, and the error it ended with. */
async function content(bytes: Uint8Array, size = 1000): Promise<{ text: Buffer; error?: InputError }> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of decompress(pieces(bytes, size), "f")) chunks.push(Buffer.from(chunk));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { text: Buffer.concat(chunks), error };
  }
  return { text: Buffer.concat(chunks) };
}

/** Compressible, but not of one piece. */
const sample = Buffer.from(Array.from({ length: 20_000 }, (_, i) => `line ${(i * 7919) % 10_007}`).join("\n"));
/** Two frames by hand, RFC 8878: magic, descriptor (single segment, 1-byte size), raw last block of 3 and 2 bytes. */
const zstdFrame = (text: string): Buffer =>
  Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, text.length, 1 | (text.length << 3), 0, 0, ...Buffer.from(text)]);
const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9]);

describe("decompress", () => {
  test.each([1, 7, 100, 16_384, 1_000_000])("plain and gzip in pieces of %i bytes", async (size) => {
    const small = size < 100 ? sample.subarray(0, 3000) : sample;
    expect((await content(small, size)).text.equals(small)).toBe(true);
    expect((await content(gzipSync(small), size)).text.equals(small)).toBe(true);
  });

  test("members, an empty one, zero padding, and headers with all optional parts", async () => {
    const raw = deflateRawSync(Buffer.from("abc"));
    const trailer = gzipSync(Buffer.from("abc")).subarray(-8);
    const flags = 2 | 4 | 8 | 16;
    const long = [0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3, 2, 0, 7, 7, 0x6e, 0, 0x63, 0, 1, 2];
    const body = sample.subarray(0, 20_000);
    const all = Buffer.concat([
      gzipSync(body),
      gzipSync(Buffer.alloc(0)),
      Buffer.from(long),
      raw,
      trailer,
      Buffer.alloc(20),
    ]);
    for (const size of [1, 13, 1e6]) {
      const { text, error } = await content(all, size);
      expect(error).toBeUndefined();
      expect(text.equals(Buffer.concat([body, Buffer.from("abc")]))).toBe(true);
    }
  });

  test("a gzip file inside a gzip file is undone, a third layer is left", async () => {
    const inner = gzipSync(Buffer.from("abc"));
    expect((await content(gzipSync(inner))).text.toString()).toBe("abc");
    expect((await content(gzipSync(gzipSync(inner)))).text.equals(inner)).toBe(true);
  });

  test("cut at every byte: all that was complete comes out, then where it ended", async () => {
    const bytes = gzipSync(sample.subarray(0, 300));
    for (let size = 4; size < bytes.length; size++) {
      const { text, error } = await content(bytes.subarray(0, size), 64);
      expect(error).toMatchObject({ code: "truncated", byteOffset: size });
      expect(sample.subarray(0, text.length).equals(text)).toBe(true);
    }
    expect((await content(bytes.subarray(0, -8), 64)).text.length).toBe(300);
  });

  test("garbage behind a member, a wrong checksum: the content before stays", async () => {
    const bytes = gzipSync(sample);
    const behind = await content(Buffer.concat([bytes, Buffer.from("garbage")]));
    expect(behind.text.equals(sample)).toBe(true);
    expect(behind.error).toMatchObject({ code: "truncated", byteOffset: bytes.length + 7 });
    const wrong = Buffer.from(bytes);
    wrong[wrong.length - 8]! ^= 1;
    const damaged = await content(wrong);
    expect(damaged.text.equals(sample)).toBe(true);
    expect(damaged.error).toMatchObject({ code: "malformed", byteOffset: bytes.length - 8 });
  });

  // Deflate has no checks of its own: damage may be seen late, at the latest by the checksum at the end.
  test("damage in the middle: what lies at least one piece before it stays", async () => {
    const bytes = gzipSync(sample);
    bytes.fill(0xff, bytes.length >> 1, (bytes.length >> 1) + 100);
    const { text, error } = await content(bytes, 512);
    expect(error?.code).toBe("malformed");
    expect(error!.byteOffset).toBeGreaterThan(bytes.length * 0.4);
    expect(text.length).toBeGreaterThan(sample.length * 0.3);
  });

  test("zstd frames written by hand, a skippable one between", async () => {
    const bytes = Buffer.concat([zstdFrame("abc"), skippable, zstdFrame("de")]);
    for (const size of [1, 5, 1000]) expect((await content(bytes, size)).text.toString()).toBe("abcde");
    for (let size = 4; size < bytes.length; size++) {
      const { text, error } = await content(bytes.subarray(0, size));
      const whole = [zstdFrame("abc").length, zstdFrame("abc").length + skippable.length].includes(size);
      expect(error?.code).toBe(whole ? undefined : "truncated");
      expect("abcde".startsWith(text.toString())).toBe(true);
    }
  });

  test("a zstd window of 2 GiB is refused before it is allocated", async () => {
    const bytes = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 1, 0, 0]);
    expect((await content(bytes)).error).toMatchObject({ code: "too-large", byteOffset: 0 });
  });

  const zstd = ((): boolean => {
    try {
      execFileSync("zstd", ["--version"], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  })();
  test.skipIf(!zstd)("what the zstd command writes, with checksum, several levels and frames", async () => {
    const compress = (level: string, input: Buffer): Buffer =>
      execFileSync("zstd", [level, "-c"], { input, stdio: ["pipe", "pipe", "ignore"], maxBuffer: 1e9 });
    const big = Buffer.concat(Array.from({ length: 8 }, () => sample));
    const all = Buffer.concat([compress("-1", big), compress("-19", sample)]);
    const { text, error } = await content(all, 4096);
    expect(error).toBeUndefined();
    expect(text.equals(Buffer.concat([big, sample]))).toBe(true);
  });

  test("a consumer that stops early stops the work: 1 GB of zeros", async () => {
    // 64 members of 16 MiB of zeros each, 16 KiB compressed.
    const member = gzipSync(Buffer.alloc(16 << 20));
    const bomb = Buffer.concat(Array.from({ length: 64 }, () => member));
    const before = process.memoryUsage().rss;
    let seen = 0;
    for await (const chunk of decompress(pieces(bomb, 65_536), "f")) {
      seen += chunk.length;
      if (seen > 1 << 20) break;
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(200 << 20);
  });
});
