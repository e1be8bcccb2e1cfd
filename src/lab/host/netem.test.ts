import { expect, test } from "vitest";
import { networkRefusal } from "./netem.ts";

test.each([
  ["tc", "ENOENT", "", "iproute2"],
  ["unshare", "127", "unshare: failed to execute tc: No such file or directory", "iproute2"],
  ["unshare", "2", "Error: Specified qdisc kind is unknown.", "CONFIG_NET_SCH_NETEM"],
  ["unshare", "1", "unshare: unshare failed: Operation not permitted", "root"],
  ["ip", "1", "mkdir /run/netns failed: Permission denied", "root"],
  ["ip", "2", "one line\nRTNETLINK answers: File exists", 'ip says "RTNETLINK answers: File exists"'],
  ["ip", "255", "", 'ip says "exit code 255"'],
])("%s that ends with %s and %j is told as one sentence", (command, code, stderr, expected) => {
  const sentence = networkRefusal(command, code, stderr);
  expect(sentence).toContain(expected);
  expect(sentence).not.toContain("\n");
});
