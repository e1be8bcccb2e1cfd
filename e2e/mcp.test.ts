import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { longpole, ROOT } from "./longpole.ts";

const FAULT = "examples/missing-index/fault";

describe("the official client", () => {
  let client: Client;
  beforeAll(async () => {
    client = new Client({ name: "test", version: "1" });
    await client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [join(ROOT, "dist", "cli", "main.js"), "mcp"],
        cwd: ROOT,
        env: { PATH: process.env["PATH"] ?? "", LONGPOLE_URL: "http://127.0.0.1:9" },
      }),
    );
  }, 60_000);
  afterAll(() => client.close());

  async function call(name: string, given: Record<string, unknown>): Promise<{ text: string; isError: boolean }> {
    const { content, isError } = await client.callTool({ name, arguments: given }, undefined, { timeout: 120_000 });
    const [part] = content as { type: string; text: string }[];
    return { text: part!.text, isError: isError === true };
  }

  test("is told who answers, and which tools there are", async () => {
    expect(client.getServerVersion()?.name).toBe("longpole");
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(["diagnose", "analyze", "what_if", "trace"]);
    for (const { inputSchema } of tools) expect(inputSchema.type).toBe("object");
  });

  test("gets the diagnosis of a recording, bounded, and the same first finding as analyze --json", async () => {
    const { text, isError } = await call("analyze", { files: [FAULT] });
    expect(isError).toBe(false);
    expect(text.length).toBeLessThanOrEqual(24_000);
    const brief = JSON.parse(text) as { findings: { id: string; remedy: { whatIf: string } }[]; notesLeftOut?: number };
    const whole = JSON.parse(longpole(["analyze", FAULT, "--json", "-q"]).stdout) as {
      findings: { id: string; severity: string }[];
    };
    expect(brief.findings[0]!.id).toBe(whole.findings[0]!.id);
    const notes = whole.findings.filter(({ severity }) => severity === "note").length;
    expect(brief.notesLeftOut ?? 0).toBe(Math.max(0, notes - 8));

    const predicted = await call("what_if", { files: [FAULT], changes: [brief.findings[0]!.remedy.whatIf] });
    expect(JSON.parse(predicted.text)).toMatchObject({ schema: "longpole.what-if/1" });
  });

  test("sees a trace as a list of its spans", async () => {
    const { text } = await call("trace", { files: [FAULT], traceId: "deef3f4663203e7a6d80e3a0ea01cdc9" });
    const lines = text.split("\n");
    expect(lines[0]).toContain("11 spans");
    expect(lines).toHaveLength(12);
    expect(lines[1]).toMatch(/^\+0\.00 ms {2}67\.\d\d ms {2}gateway: GET \/api\/customers\/:id\/orders$/);
    expect(text).toContain("«SELECT id, status");
  });

  test("is told what it can mend as the tool's answer", async () => {
    expect(await call("diagnose", {})).toMatchObject({ isError: true, text: expect.stringContaining("cannot reach") });
    expect(await call("analyze", { files: ["no-such-file"] })).toMatchObject({
      isError: true,
      text: expect.stringContaining("no-such-file"),
    });
    expect(await call("trace", { files: [FAULT], traceId: "ff" })).toMatchObject({ isError: true });
    expect(await call("what_if", { files: [FAULT], changes: ["faster"] })).toMatchObject({ isError: true });
    await expect(call("analyze", { file: FAULT })).rejects.toThrow("files is missing");
    await expect(call("guess", {})).rejects.toThrow("no tool guess");
  });
});

test("what is no call is refused by JSON-RPC's codes, and the next line is answered all the same", () => {
  const lines = [
    "not json",
    "[]",
    '{"jsonrpc":"1.0","id":1,"method":"ping"}',
    '{"jsonrpc":"2.0","id":2}',
    '{"jsonrpc":"2.0","id":null,"method":"ping"}',
    '{"jsonrpc":"2.0","id":3,"method":"resources/list"}',
    '{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"trace","arguments":{"traceId":7}}}',
    '{"jsonrpc":"2.0","method":"notifications/initialized"}',
    '{"jsonrpc":"2.0","id":99,"result":{}}',
    '{"jsonrpc":"2.0","id":5,"method":"initialize","params":{"protocolVersion":"1999-01-01"}}',
    '{"jsonrpc":"2.0","id":"six","method":"ping"}',
  ];
  const { code, stdout, stderr } = longpole(["mcp"], { input: `${lines.join("\n")}\n` });
  const answers = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { id: unknown; error?: { code: number }; result?: object });
  expect([code, stderr]).toEqual([0, ""]);
  const codes = answers.filter(({ error }) => error !== undefined).map(({ id, error }) => [id, error!.code]);
  expect(new Set(codes.map((pair) => JSON.stringify(pair)))).toEqual(
    new Set(
      [
        [null, -32_700],
        [null, -32_600],
        [1, -32_600],
        [2, -32_600],
        [3, -32_601],
        [4, -32_602],
      ].map((pair) => JSON.stringify(pair)),
    ),
  );
  expect(answers.find(({ id }) => id === 5)?.result).toMatchObject({ protocolVersion: "2025-11-25" });
  expect(answers.find(({ id }) => id === "six")?.result).toEqual({});
  expect(answers).toHaveLength(9);
});
