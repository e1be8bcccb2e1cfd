import { expect, test } from "vitest";
import { ephemeralPorts } from "./ephemeral-ports.ts";

const told = (range: string, ports: readonly number[]): boolean[] => ports.map(ephemeralPorts(range));

test("ports that the system gives, both ends included", () => {
  expect(told("32768\t60999\n", [32_767, 32_768, 50_051, 60_999, 61_000])).toEqual([false, true, true, true, false]);
});

test("where it gives nearly all, services listen among them", () => {
  expect(told("1024\t65535\n", [5432, 9092, 32_767, 32_768, 65_535])).toEqual([false, false, false, true, true]);
});

test("where it gives high ones alone, those below are somebody's", () => {
  expect(told("49152 65535", [50_000, 49_151, 33_060])).toEqual([true, false, false]);
});

test("what is no range is an error that shows it", () => {
  expect(() => ephemeralPorts("all")).toThrow('no range of ports: "all"');
});
