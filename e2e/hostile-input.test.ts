import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { longpole, shell } from "./longpole.ts";

const FAULT = "examples/missing-index/fault/traces.otlp.pb.gz";
/** Retitles the window, clears the screen, turns the direction of writing, begins a new line. */
const ACTING = "\u001b]0;title\u0007\u001b[2J\u202e\u009b31m\r\nx";
/** Everything that a terminal acts on, but for the ends of lines. */
const ACTS = /[^\P{Cc}\n]|[\u202a-\u202e]/u;

let folder = "";
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "longpole-e2e-"))));
afterAll(() => rmSync(folder, { recursive: true }));

describe("output that cannot be written", () => {
  test.each([`analyze ${FAULT} --quiet`, `analyze ${FAULT} --quiet --json`, "--help"])("%s: one line and 2", (args) => {
    const { code, stdout } = shell(`longpole ${args} 2>&1 >/dev/full`);
    // 1 would mean findings.
    expect(code).toBe(2);
    expect(stdout).toMatch(/^longpole: cannot write to standard output: ENOSPC.*\n$/);
  });

  test("nobody reads the progress any more: the findings still decide the exit code", () => {
    const script = `longpole analyze ${FAULT} absent --json 2> >(exec true) >/dev/null; echo $?`;
    expect(shell(script).stdout).toBe("2\n");
  });
});

describe("nothing that is printed acts on the terminal", () => {
  /** One slow and one fast recording whose every name is hostile. */
  function recordings(): [slow: string, fast: string] {
    const write = (name: string, ms: number): string => {
      const path = join(folder, `${name}\u001b[31m\n.json`);
      const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");
      const spans = Array.from({ length: 400 }, (_, i) => {
        const from = 1_700_000_000_000 + 20 * i;
        const span = (id: number, kind: number, start: number, end: number): object => ({
          traceId: hex(i + 1, 32),
          spanId: hex(id, 16),
          name: `${ACTING}${kind}`,
          kind,
          startTimeUnixNano: `${start}000000`,
          endTimeUnixNano: `${end}000000`,
          attributes: [ACTING, "db.system", "db.statement", "server.address"].map((key) => ({
            key,
            value: { stringValue: ACTING },
          })),
        });
        return [
          span(1, 2, from, from + ms + (i % 7)),
          { ...span(2, 3, from + 1, from + ms - 1 + (i % 7)), parentSpanId: hex(1, 16) },
        ];
      }).flat();
      const resource = { attributes: [{ key: "service.name", value: { stringValue: ACTING } }] };
      writeFileSync(path, JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }));
      return path;
    };
    return [write("slow", 100), write("fast", 10)];
  }

  test("reports of every command, and the commands to paste", () => {
    const [slow, fast] = recordings();
    const compared = longpole(["compare", fast, slow]);
    expect(compared.stdout).toMatch(/Why: .* analyze \$'.*slow\\033\[31m\\012\.json' --baseline \$'/);
    for (const { stdout, stderr } of [
      compared,
      longpole(["analyze", slow]),
      longpole(["analyze", slow, "--baseline", fast]),
      longpole(["critical-path", slow]),
      longpole(["what-if", slow, "--change", `service=${ACTING},operation=${ACTING}3,time=0.5`]),
    ]) {
      expect(stdout).not.toBe("");
      expect(`${stdout}${stderr}`).not.toMatch(ACTS);
    }
  });

  test.each([
    ["command", [ACTING]],
    ["option", ["analyze", "x", `--${ACTING}`]],
    ["choice", ["analyze", "x", "--fail-on", ACTING]],
    ["width", ["analyze", "x", "--width", ACTING]],
    ["objective", ["analyze", "x", "--objective", ACTING]],
    ["change", ["what-if", FAULT, "--change", ACTING]],
    ["file", ["analyze", ACTING]],
    ["series", ["changepoints", ACTING]],
  ])("errors: %s", (_, args) => {
    const { code, stderr } = longpole(args);
    expect(code).toBe(2);
    expect(stderr).toContain("\\x1b");
    expect(stderr).not.toMatch(ACTS);
  });
});

test("a series that comes late", () => {
  const { code, stdout } = shell(
    `(sleep 0.3; printf '1,1\\n2,1\\n3,1\\n4,9\\n5,9\\n6,9\\n') | longpole changepoints - --json`,
  );
  expect([code, JSON.parse(stdout)]).toEqual([0, { changePoints: [] }]);
});
