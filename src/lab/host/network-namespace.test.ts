import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { LabError } from "../lab-error.ts";
import { networkRefusal, openNamespace } from "./network-namespace.ts";

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

test("a service in a network of its own is reached at its address, or the machine says why not", async () => {
  const opened = await openNamespace({ service: "test", delayMs: 0, lossRatio: 0 }).catch((error: unknown) => error);
  if (opened instanceof Error) {
    expect(opened).toBeInstanceOf(LabError);
    expect(opened.message).toMatch(/root|iproute2|cannot/);
    return;
  }
  const namespace = opened as Awaited<ReturnType<typeof openNamespace>>;
  try {
    const server = `require("node:http").createServer((_, answer) => answer.end("inside"))
      .listen(0, function () { console.log(this.address().port); });
      process.stdin.on("end", () => process.exit(0)).resume();`;
    const [command, ...args] = [...namespace.prefix, process.execPath, "-e", server];
    const child = spawn(command!, args, { stdio: ["pipe", "pipe", "inherit"] });
    const ended = once(child, "exit");
    try {
      const [port] = (await once(child.stdout, "data")) as [Buffer];
      const answer = await fetch(`http://${namespace.addresses.own}:${port.toString().trim()}`);
      expect(await answer.text()).toBe("inside");
    } finally {
      child.stdin.end();
      await ended;
    }
  } finally {
    await namespace.close();
  }
});
