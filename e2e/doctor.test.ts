import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { longpole } from "./longpole.ts";

let folder = "";
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "longpole-doctor-"))));
afterAll(() => rmSync(folder, { recursive: true }));

interface Capability {
  readonly name: string;
  readonly rung: string;
  readonly why: string;
  readonly mend: string;
}

function examined(helper?: string): readonly Capability[] {
  const env = helper === undefined ? {} : { env: { LONGPOLE_PROBE: helper } };
  const { code, stdout, stderr } = longpole(["doctor", "--json"], env);
  expect([code, stderr]).toEqual([0, ""]);
  const document = JSON.parse(stdout) as { schema: string; capabilities: readonly Capability[] };
  expect(document.schema).toBe("longpole.doctor/1");
  return document.capabilities;
}

test("each kind of data has a rung, and what is not seen has a reason", () => {
  const found = examined();
  expect(found.length).toBeGreaterThan(10);
  for (const { name, rung, why } of found) {
    expect(["helper", "bpftrace", "perf", "procfs", "none"], name).toContain(rung);
    if (rung === "none") expect(why, name).not.toBe("");
  }
});

test("a helper that is not there: what is left without it, and the command that builds it", () => {
  const found = examined(join(folder, "absent"));
  expect(found.find(({ name }) => name === "off-CPU times and stacks")).toEqual({
    name: "off-CPU times and stacks",
    rung: "procfs",
    why: "the helper is not built",
    mend: "npm run build:native",
  });
});

test("a helper that cannot do its work is quoted", () => {
  const helper = join(folder, "refused");
  writeFileSync(helper, "#!/bin/sh\necho 'longpole-probe: loading as tp_btf: Operation not permitted' >&2\nexit 1\n");
  chmodSync(helper, 0o755);
  const [first] = examined(helper);
  expect(first).toMatchObject({ rung: "procfs", why: "loading as tp_btf: Operation not permitted" });
  expect(first!.mend).toMatch(/cap_bpf|CAP_BPF/);
});

test("a program that is no helper at all does not pass for one", () => {
  const helper = join(folder, "other");
  writeFileSync(helper, "#!/bin/sh\necho hello, here is something else altogether\n");
  chmodSync(helper, 0o755);
  expect(examined(helper)[0]).toMatchObject({ rung: "procfs", why: expect.stringContaining("stream") });
});

test("a helper that says nothing does not pass for one that can do all", () => {
  const helper = join(folder, "silent");
  writeFileSync(helper, "#!/bin/sh\nexit 0\n");
  chmodSync(helper, 0o755);
  expect(examined(helper)[0]).toMatchObject({ rung: "procfs", why: "sched-switch: the helper does not tell of it" });
});
