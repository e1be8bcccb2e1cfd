import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openBrowser, watchedPage } from "../src/testing/browser.ts";
import { violations } from "../src/testing/wcag.ts";
import { lineOf, profileOfIngest } from "./ingest-program.ts";
import { longpole, shell } from "./longpole.ts";

let folder = "";
let profile = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "longpole-flame-"));
  profile = profileOfIngest(folder, "ingest-0.cpuprofile", 700);
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Flame {
  schema: string;
  value: { type: string; unit: string };
  total: number;
  idle: number;
  functions: { name: string; file: string; line: number | null; kind: string; self: number; total: number }[];
  difference?: { functions: { name: string; qValue: number; selfShareBefore: number; selfShareAfter: number }[] };
}

const flameOf = (...args: string[]): Flame => JSON.parse(longpole(["flame", ...args, "--json"]).stdout) as Flame;

describe("a real profile of Node", () => {
  test("names the functions of the program with their lines, and what of Node they call", () => {
    const { schema, value, functions } = flameOf(profile);
    expect([schema, value]).toEqual(["longpole.flame/1", { type: "wall", unit: "nanoseconds" }]);
    const parse = functions.find(({ name }) => name === "parseLine")!;
    expect(parse).toMatchObject({ line: lineOf("parseLine"), kind: "user" });
    expect(parse.file).toMatch(/ingest\.mjs$/);
    expect(functions.find(({ name }) => name === "fsyncSync")).toMatchObject({ file: "node:fs", kind: "runtime" });
    expect(functions.find(({ name }) => name === "(garbage collector)")?.kind).toBe("gc");
  });

  test("as text: functions, heaviest stacks; exit 0", () => {
    const { code, stdout, stderr } = longpole(["flame", profile]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/of wall time in [\d,]+ samples/);
    expect(stdout).toMatch(/parseLine +ingest\.mjs:\d+/);
    expect(stdout).toContain("Heaviest stacks");
  });

  test("folded and pprof hold the same time, through any number of conversions", () => {
    const { total, idle } = flameOf(profile);
    const sum = (text: string): number =>
      text
        .trim()
        .split("\n")
        .reduce((all, line) => all + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
    const folded = longpole(["flame", profile, "--folded"]).stdout;
    expect(sum(folded)).toBe(total + idle);
    const again = shell(
      `longpole flame ${profile} --pprof > ${folder}/p.pb.gz && longpole flame ${folder}/p.pb.gz --folded`,
    );
    expect([again.code, again.stderr]).toEqual([0, ""]);
    expect(again.stdout).toBe(folded);
  });

  test("another value of the profile, and one that it does not have", () => {
    expect(flameOf(profile, "--value", "samples").value).toEqual({ type: "samples", unit: "count" });
    const { code, stderr } = longpole(["flame", profile, "--value", "bytes"]);
    expect(code).toBe(2);
    expect(stderr).toContain("expected a value among samples, wall for --value, found bytes");
  });
});

test("several processes are told apart, standard input is read, and a folder", () => {
  const two = shell(
    `printf 'a 1 1.0: cycles: \\n\\t 1 f (/bin/a)\\n\\nb 2 1.0: cycles: \\n\\t 1 g (/bin/b)\\n\\n' | longpole flame -`,
  );
  expect([two.code, two.stderr]).toEqual([0, ""]);
  expect(two.stdout).toMatch(/Processes[\s\S]*\na +1 +50 %[\s\S]*\nb +1 +50 %/);
  writeFileSync(join(folder, "notes.md"), "# Notes\n");
  const all = longpole(["flame", folder]);
  expect(all.code).toBe(0);
  expect(all.stderr).toMatch(/not used: .*notes\.md/);
});

test("--diff: what changed beyond chance, as text, JSON, two columns and pprof", () => {
  const before = join(folder, "before.folded");
  const now = join(folder, "now.folded");
  writeFileSync(before, "main;parse 300\nmain;write 700\n");
  writeFileSync(now, "main;parse 600\nmain;write 400\n");
  expect(flameOf(now, "--diff", before).difference!.functions[0]).toMatchObject({
    name: "parse",
    selfShareBefore: 0.3,
    selfShareAfter: 0.6,
  });
  expect(longpole(["flame", now, "--diff", before]).stdout).toMatch(/parse +30 % → +60 % +\+30 %/);
  expect(longpole(["flame", now, "--diff", before, "--folded"]).stdout).toBe(
    "main;parse 300 600\nmain;write 700 400\n",
  );
  const pprof = shell(
    `longpole flame ${now} --diff ${before} --pprof > ${folder}/d.pb.gz && longpole flame ${folder}/d.pb.gz --folded`,
  );
  expect(pprof.stdout).toBe("main;parse 300\nmain;write -300\n");
  expect(longpole(["flame", now, "--diff", now]).stdout).toContain("Nothing that chance would not make as well");
});

describe("wrong usage and bad input", () => {
  test.each([
    ["no profile", () => ["examples/missing-index/fault/traces.otlp.pb.gz"], "expected a profile"],
    ["absent", () => [join(folder, "absent.pb")], "no such file"],
    ["two outputs", () => [profile, "--folded", "--pprof"], "cannot be used with"],
    ["an unwritable page", () => [profile, "--html", join(folder, "no/such/x.html")], "expected a writable file"],
  ])("%s", (_, args, reason) => {
    const { code, stderr } = longpole(["flame", ...args()]);
    expect(code).toBe(2);
    expect(stderr).toContain(reason);
    expect(stderr).not.toContain("    at ");
  });

  test("a profile that was cut: the error, and what came before it", () => {
    const cut = join(folder, "cut.folded.cpuprofile");
    const text = readFileSync(profile, "utf8");
    writeFileSync(cut, text.slice(0, text.length - 40));
    const { code, stdout, stderr } = longpole(["flame", cut]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/cut\.folded\.cpuprofile at byte \d+: expected/);
    expect(stdout).toContain("parseLine");
  });
});

describe("--html", () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await openBrowser()));
  afterAll(() => browser.close());

  test("one file that loads nothing, lets only its own script run, and shows the profile: graph, functions, both sides of one", async () => {
    const path = join(folder, "flame.html");
    expect(longpole(["flame", profile, "--html", path]).code).toBe(0);
    const text = readFileSync(path, "utf8");
    const script = /<script type="module">([\s\S]*?)<\/script>/.exec(text)![1]!;
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(text)![1]!;
    const digest = createHash("sha256").update(script).digest("base64");
    expect(policy).toContain(`default-src 'none'; script-src 'sha256-${digest}'`);
    const { page, complaints } = await watchedPage(browser);
    const loaded: string[] = [];
    page.on("request", (request) => loaded.push(request.url()));
    await page.goto(pathToFileURL(path).href);
    await page.getByRole("img", { name: /Flame graph of/ }).waitFor();
    const functions = page.getByRole("region", { name: "By function" });
    await functions.getByRole("button", { name: "parseLine", exact: true }).waitFor();
    await page.getByRole("searchbox", { name: "Search functions" }).fill("fsync");
    expect(await functions.getByRole("button").allTextContents()).toEqual(
      expect.not.arrayContaining(["parseLine"]) as string[],
    );
    await page.getByRole("searchbox", { name: "Search functions" }).fill("");
    await functions.getByRole("button", { name: "parseLine", exact: true }).click();
    await page.getByRole("heading", { name: "Who calls parseLine" }).waitFor();
    expect(await violations(page)).toEqual([]);
    expect(loaded.filter((url) => !url.startsWith("file:"))).toEqual([]);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("names of others do nothing", async () => {
    const path = join(folder, "hostile.html");
    const name = "</script><script>alert(1)</script><img src=x onerror=alert(2)>";
    const { code } = longpole(["flame", "-", "--html", path], { input: `main;${name} 1\nmain 2\n` });
    expect(code).toBe(0);
    const { page, complaints } = await watchedPage(browser);
    await page.goto(pathToFileURL(path).href);
    await page.getByRole("button", { name: /alert\(1\)/ }).waitFor();
    expect(complaints).toEqual([]);
    await page.close();
  });
});
