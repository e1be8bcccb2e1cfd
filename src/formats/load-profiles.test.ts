import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stacksFromText } from "../testing/stacks-from-text.ts";
import { loadProfiles, type LoadProfilesOptions } from "./load-profiles.ts";
import { writePprof } from "./write-pprof.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "longpole-profiles-"));
  mkdirSync(join(folder, "in"));
  const file = (name: string, content: string | Uint8Array): void => writeFileSync(join(folder, name), content);
  file("in/a.pb.gz", gzipSync(writePprof(stacksFromText("main;a 5"))));
  file("in/b.folded", "main;b 7\n");
  file("in/c.txt", "c 1 1.0: cycles: \n\t 1 f (/bin/c)\n\nc 1 1.1: cycles: \n\t 1 g (/bin/c)\n");
  file("in/d.cpuprofile", '{"nodes":[{"id":1,"callFrame":{"functionName":"d"}}],"samples":[1],"timeDeltas":[1');
  file("in/traces.json", '{"resourceSpans":[]}');
  file("in/readme.md", "# Hello.");
  file("cut.pb.gz", gzipSync(writePprof(stacksFromText("main;a 5\n".repeat(3)))).subarray(0, 60));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function load(paths: string[], others: LoadProfilesOptions["others"]): Promise<object> {
  const { profiles, errors, skipped, remarks } = await loadProfiles(paths, { others });
  return {
    profiles: profiles.map(({ file, format, stacks }) => `${basename(file)} ${format} ${stacks.samples.rowCount}`),
    errors: errors.map(({ file, code }) => `${basename(file)} ${code}`),
    skipped: skipped.map(({ path, reason }) => `${basename(path)} ${reason}`),
    remarks: remarks.map((text) => basename(text)),
  };
}

const FOUND = ["a.pb.gz pprof 1", "b.folded folded 1", "c.txt perf-script 1", "d.cpuprofile cpuprofile 1"];
const REMARKS = ["c.txt: the last sample has no empty line behind it and may be cut: left out"];

test("a folder of all kinds: by content, compressed or not; a damaged file is told, and what came before is kept", async () => {
  expect(await load([join(folder, "in")], "refuse")).toEqual({
    profiles: FOUND,
    errors: ["d.cpuprofile truncated"],
    skipped: ['readme.md "# Hello."', "traces.json traces"],
    remarks: REMARKS,
  });
});

test("among other files only the profiles, and nothing of the others", async () => {
  const paths = [join(folder, "in"), join(folder, "in/readme.md"), join(folder, "absent"), "-"];
  expect(await load(paths, "pass-over")).toEqual({
    profiles: FOUND,
    errors: ["d.cpuprofile truncated"],
    skipped: [],
    remarks: REMARKS,
  });
});

test("what is named and no profile is an error; a cut archive is one error, and what it held is kept", async () => {
  expect(
    await load([join(folder, "in/traces.json"), join(folder, "absent"), join(folder, "cut.pb.gz")], "refuse"),
  ).toEqual({
    profiles: ["cut.pb.gz pprof 1"],
    errors: ["absent unreadable", "traces.json unsupported", "cut.pb.gz truncated"],
    skipped: [],
    remarks: [],
  });
});

test("standard input, where it is asked for", async () => {
  const stdin = (async function* () {
    yield Buffer.from("main;x 1\n");
  })();
  const { profiles } = await loadProfiles(["-"], { others: "refuse", stdin });
  expect(profiles.map(({ file, format }) => `${file} ${format}`)).toEqual(["- folded"]);
});
