import { expect, test } from "vitest";
import { probeNamed, traceProgram } from "./trace-probes.ts";

test.each([
  "uprobe:relative:f",
  "uprobe:/bin/x:f { system(1) }",
  'uprobe:/bin/"x:f',
  "syscall:Read",
  "syscall:a b",
  "",
])("%s is no name of a probe", (name) => {
  expect(probeNamed(name)).toHaveProperty("wrong");
});

test("a process, a limit and an end stand in the program", () => {
  const probe = probeNamed("syscall:openat");
  if ("wrong" in probe) throw new Error(probe.wrong);
  const program = traceProgram(probe, 4711, 5, 1000);
  expect(program).toContain("tracepoint:syscalls:sys_enter_openat /pid == 4711/");
  // A fifth of a second has a fifth of the hits.
  expect(program).toContain("@hits - @before > 200");
  expect(program).toContain("interval:s:5 {");
});
