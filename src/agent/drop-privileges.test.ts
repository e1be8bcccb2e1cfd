import { expect, test } from "vitest";
import { agentUser } from "./drop-privileges.ts";

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
