import { expect, test } from "vitest";
import { cannotBeBuilt } from "./build-native.mjs";

test.each([
  ["linux", "x64", undefined],
  ["linux", "arm64", "the probes are written for x86-64; this is arm64"],
  ["darwin", "arm64", "the probes are for Linux; this is darwin"],
])("on %s, %s", (platform, architecture, why) => {
  expect(cannotBeBuilt(platform, architecture)).toBe(why);
});
