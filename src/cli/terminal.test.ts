import { expect, test } from "vitest";
import { commandWord } from "./terminal.ts";

test.each([
  ["/usr/bin/longpole", {}, "/home/me", "longpole"],
  ["/home/me/longpole/dist/cli/main.js", { npm_command: "exec" }, "/home/me/longpole", "npx longpole"],
  ["/home/me/longpole/dist/cli/main.js", {}, "/home/me/longpole", "node dist/cli/main.js"],
  [
    "/home/me/longpole/dist/cli/main.js",
    { npm_command: "run-script" },
    "/tmp",
    "node /home/me/longpole/dist/cli/main.js",
  ],
  ["/home/me/my tools/main.js", {}, "/tmp", 'node "/home/me/my tools/main.js"'],
])("%s with %j in %s is run again by %s", (script, environment, folder, expected) => {
  expect(commandWord(script, environment, folder)).toBe(expected);
});
