import { expect, test } from "vitest";
import { measureText } from "./measure-text.ts";

test.each([
  ["cpu-share", 0.123, "12.3 %"],
  ["event-loop-delay", 0.0336, "33.6 ms"],
  ["gc-time", 0.15, "0.15 s/s"],
  ["memory-used", 3 * 2 ** 20, "3 MiB"],
  ["memory-used", 0, "0 B"],
  ["disk-bytes", 1536, "1.5 KiB/s"],
  ["call-rate", 12.34, "12.3/s"],
  ["queue-depth", 12_000, "12k"],
  ["queue-depth", 0.001, "1e-3"],
])("%s of %f is %s", (measure, value, text) => expect(measureText(measure, value)).toBe(text));
