import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readElf, symbolAt } from "./elf-file.ts";

let folder = "";
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "longpole-elf-"))));
afterAll(() => rmSync(folder, { recursive: true }));

interface Symbol {
  readonly name: string;
  readonly address: number;
  readonly size: number;
}

/** A file of one code segment (64 bytes of file at 0x1000) and a symbol table, as a linker lays it out. */
function elf(symbols: readonly Symbol[]): Buffer {
  const names = `\0${symbols.map(({ name }) => `${name}\0`).join("")}`;
  const sectionNames = "\0.symtab\0.strtab\0.shstrtab\0";
  const table = Buffer.alloc(24 * (symbols.length + 1));
  let nameAt = 1;
  symbols.forEach(({ name, address, size }, i) => {
    const at = 24 * (i + 1);
    table.writeUInt32LE(nameAt, at);
    table[at + 4] = 0x12;
    table.writeUInt16LE(1, at + 6);
    table.writeBigUInt64LE(BigInt(address), at + 8);
    table.writeBigUInt64LE(BigInt(size), at + 16);
    nameAt += name.length + 1;
  });
  const head = Buffer.alloc(64);
  head.writeUInt32BE(0x7f454c46, 0);
  [head[4], head[5]] = [2, 1];
  const segment = Buffer.alloc(56);
  segment.writeUInt32LE(1, 0);
  segment.writeBigUInt64LE(0n, 8);
  segment.writeBigUInt64LE(0x401000n, 16);
  segment.writeBigUInt64LE(0x1000n, 32);
  const parts = [head, segment, table, Buffer.from(names), Buffer.from(sectionNames)];
  const offsets = parts.map((_, i) => parts.slice(0, i).reduce((sum, part) => sum + part.length, 0));
  const section = (name: number, part: number, link: number): Buffer => {
    const bytes = Buffer.alloc(64);
    bytes.writeUInt32LE(name, 0);
    bytes.writeUInt32LE(part === 2 ? 2 : 3, 4);
    bytes.writeBigUInt64LE(BigInt(offsets[part]!), 24);
    bytes.writeBigUInt64LE(BigInt(parts[part]!.length), 32);
    bytes.writeUInt32LE(link, 40);
    return bytes;
  };
  head.writeBigUInt64LE(64n, 32);
  head.writeBigUInt64LE(BigInt(parts.reduce((sum, part) => sum + part.length, 0)), 40);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(1, 56);
  head.writeUInt16LE(64, 58);
  head.writeUInt16LE(4, 60);
  head.writeUInt16LE(3, 62);
  return Buffer.concat([...parts, Buffer.alloc(64), section(1, 2, 2), section(9, 3, 0), section(17, 4, 0)]);
}

function written(name: string, content: Buffer): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

const FILE = elf([
  { name: "__write", address: 0x401100, size: 0x20 },
  { name: "write", address: 0x401100, size: 0x20 },
  { name: "later", address: 0x401200, size: 0 },
]);

test("the plainest name of the function that holds an address; behind its end, none", () => {
  const file = readElf(written("good", FILE), "/bin/good");
  const at = (address: number): string | undefined => symbolAt(file.symbols, address);
  expect([at(0x4010ff), at(0x401100), at(0x40111f), at(0x401120), at(0x401200), at(0x401fff)]).toEqual([
    undefined,
    "write",
    "write",
    undefined,
    "later",
    "later",
  ]);
  expect([file.addressOf(0x100), file.addressOf(0x1000)]).toEqual([0x401100, -1]);
  expect([file.path, file.buildId, file.ehFrame]).toEqual(["/bin/good", "", undefined]);
});

describe("damaged files are refused with what is wrong, whatever is damaged", () => {
  test.each([
    ["empty", Buffer.alloc(0), /ends in the middle of the ELF header/],
    ["a script", Buffer.from("#!/bin/sh\n".padEnd(80)), /not an ELF file/],
    ["of 32 bits", Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 1]), Buffer.alloc(80)]), /not a 64-bit/],
    ["cut in two", FILE.subarray(0, 200), /ends in the middle of/],
  ])("%s", (name, content, message) => {
    expect(() => readElf(written(name, content), `/bin/${name}`)).toThrow(message);
  });

  test("no byte that is changed makes it hang, or crash with anything but an Error of its own", () => {
    for (let at = 0; at < FILE.length; at += 3) {
      const damaged = Buffer.from(FILE);
      damaged[at] = 0xff - damaged[at]!;
      const path = written("damaged", damaged);
      try {
        const file = readElf(path, "/bin/damaged");
        symbolAt(file.symbols, 0x401100);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        expect((error as Error).message).toContain("/bin/damaged");
      }
    }
  });
});
