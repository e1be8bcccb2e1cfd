import { lstatSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { agentUser, giveFolder } from "./drop-privileges.ts";

const PASSWD =
  "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533::/:/bin/false\nshop:x:1001:1002::/:/bin/false\nlongpole-agent2:x:9:9::/:\n";

test("root becomes the agent's own user, or nobody, or whom it is told", () => {
  expect(agentUser(undefined, PASSWD, 0)).toEqual({ name: "nobody", uid: 65_534, gid: 65_533 });
  expect(agentUser(undefined, `${PASSWD}longpole-agent:x:12:13::/:\n`, 0)).toEqual({
    name: "longpole-agent",
    uid: 12,
    gid: 13,
  });
  expect(agentUser("shop", PASSWD, 0)).toEqual({ name: "shop", uid: 1001, gid: 1002 });
});

test("others stay what they are, and so does a root that is told to", () => {
  expect(agentUser(undefined, PASSWD, 1001)).toBeUndefined();
  expect(agentUser("root", PASSWD, 0)).toBeUndefined();
});

test("a user that there is not is said", () => {
  expect(() => agentUser("ghost", PASSWD, 0)).toThrow(/no user ghost/);
  expect(() => agentUser(undefined, "root:x:0:0::/:\n", 0)).toThrow(/useradd --system longpole-agent/);
});

test.runIf(process.getuid?.() === 0)("a folder is given with what is in it, and not what a link in it leads to", () => {
  const top = mkdtempSync(join(tmpdir(), "longpole-give-"));
  try {
    const folder = join(top, "queue");
    mkdirSync(folder);
    for (const path of [join(top, "secret"), join(folder, "1.otlp")]) writeFileSync(path, "");
    symlinkSync(join(top, "secret"), join(folder, "2.otlp"));
    giveFolder(folder, { name: "shop", uid: 1001, gid: 1002 });
    const owners = ["", "1.otlp", "2.otlp"].map((name) => lstatSync(join(folder, name)).uid);
    expect(owners).toEqual([1001, 1001, 1001]);
    expect(statSync(join(top, "secret")).uid).toBe(0);
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
});
