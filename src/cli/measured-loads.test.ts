import { expect, test } from "vitest";
import { parseMeasuredLoads } from "./measured-loads.ts";

test.each([
  ["1,20\n4,78\n", [1, 4], [20, 78]],
  ["load;throughput\r\n1;20\r\n\r\n# a remark\r\n4;78;unused\r\n", [1, 4], [20, 78]],
  ['\ufeff"N"\t"X(N)"\n1\t20\n', [1], [20]],
])("rows of %j", (text, load, throughput) => {
  const measured = parseMeasuredLoads(text, "f");
  expect([[...measured.load], [...measured.throughput]]).toEqual([load, throughput]);
});

test.each([
  ["", "f at byte 0: expected rows load,throughput, found none"],
  ["load,throughput\n", "found none"],
  ["load,throughput\nload,throughput\n", 'found "load,throughput" in line 2'],
  [
    "1,20\n0,5\n",
    'f at byte 5: expected a row load,throughput with a load above 0 and a throughput of 0 or more, found "0,5" in line 2',
  ],
  ["1,20\n\n4,-1\n", 'found "4,-1" in line 3'],
  ["1,20\n4,Infinity\n", 'found "4,Infinity" in line 2'],
  ["1,20\n4,NaN\n", 'found "4,NaN" in line 2'],
  ["1\n", 'found "1" in line 1'],
  ["x,3\n", 'found "x,3" in line 1'],
])("bad rows %j", (text, message) => {
  expect(() => parseMeasuredLoads(text, "f")).toThrow(message);
});
