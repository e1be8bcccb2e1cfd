import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { isLoopback, probe, TargetError, targetOf } from "./load-target.ts";

const HERE = "http://127.0.0.1:8080";

test.each<[string, Parameters<typeof targetOf>[1], object]>([
  [`${HERE}/orders?page=2`, {}, { method: "GET", path: "/orders?page=2", headers: {} }],
  [HERE, { method: "DELETE" }, { method: "DELETE", path: "/" }],
  [`${HERE}/x`, { body: Buffer.from("{}") }, { method: "POST", body: Buffer.from("{}") }],
  [`${HERE}/x`, { headers: ["Accept:  text/plain ", "X-A: b:c"] }, { headers: { Accept: "text/plain", "X-A": "b:c" } }],
])("%s with %j", (url, options, expected) => {
  const { origin, requests } = targetOf(url, options);
  expect(origin).toBe(HERE);
  expect(requests).toMatchObject([{ weight: 1, ...expected }]);
});

describe("what is refused, and by which words", () => {
  test.each<[string, Parameters<typeof targetOf>[1], string]>([
    ["nonsense", {}, "found nonsense"],
    ["", {}, "expected a URL of http or https"],
    ["file:///etc/passwd", {}, "expected a URL of http or https"],
    ["javascript:alert(1)", {}, "expected a URL of http or https"],
    ["ftp://127.0.0.1/", {}, "expected a URL of http or https"],
    ["http://user:secret@127.0.0.1/", {}, "--header 'Authorization"],
    ["http://example.com/", {}, "--allow-remote example.com"],
    // Names that look like this machine and are not.
    ["http://127.0.0.1.example.com/", {}, "is another one"],
    ["http://localhost.example.com/", {}, "is another one"],
    ["http://0.0.0.0/", {}, "is another one"],
    ["http://[::ffff:10.0.0.1]/", {}, "is another one"],
    ["http://example.com/", { allowRemote: "example.org" }, "is another one"],
    [HERE, { method: "get it" }, "--method get it"],
    [HERE, { headers: ["no colon"] }, 'found "no colon"'],
    [HERE, { headers: ["X-A: b\r\nX-B: c"] }, '"Name: value"'],
    [HERE, { headers: [": b"] }, '"Name: value"'],
  ])("%s with %j", (url, options, message) => {
    expect(() => targetOf(url, options)).toThrow(TargetError);
    expect(() => targetOf(url, options)).toThrow(message);
  });
});

test("another machine that was named gets load", () => {
  expect(targetOf("https://example.com/a", { allowRemote: "example.com" }).origin).toBe("https://example.com");
});

test("127.1 is this machine, however it is written", () => {
  expect(["127.0.0.1", "127.8.9.10", "localhost", "[::1]"].map(isLoopback)).toEqual([true, true, true, true]);
  // The URL's own reading of 2130706433, 0x7f.1 and 127.1 is 127.0.0.1.
  expect(targetOf("http://0x7f.1:8080/", {}).origin).toBe(HERE);
});

describe("lists", () => {
  const list = (text: string): ReturnType<typeof targetOf> =>
    targetOf(`${HERE}/base/`, { headers: ["X-A: b"], list: { text, file: "urls.txt" } });

  test("weights, methods, paths and whole URLs; comments and empty lines are none", () => {
    const { requests } = list(`# orders\n3 /orders\n\n0.5 POST recount\r\nDELETE ${HERE}/x?y=1\n`);
    expect(requests).toEqual([
      { weight: 3, method: "GET", path: "/orders", headers: { "X-A": "b" } },
      { weight: 0.5, method: "POST", path: "/base/recount", headers: { "X-A": "b" } },
      { weight: 1, method: "DELETE", path: "/x?y=1", headers: { "X-A": "b" } },
    ]);
  });

  test.each([
    ["", "urls.txt: expected a request on each line, found none"],
    ["/a\n0 /b", "urls.txt, line 2: expected a weight above 0"],
    ["1 GET /a /b", "urls.txt, line 1: expected [WEIGHT] [METHOD] PATH"],
    ["http://127.0.0.1:9999/a", "is not http://127.0.0.1:8080"],
    ["//example.com/a", "is not http://127.0.0.1:8080"],
    ["javascript:1", "urls.txt, line 1: expected a URL"],
  ])("%j", (text, message) => {
    expect(() => list(text)).toThrow(message);
  });
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("a probe asks once for each, and tells what is wrong with the first that is", async () => {
  const seen: string[] = [];
  const origin = await serve((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    if (request.url === "/silent") return;
    response.writeHead(request.url === "/gone" ? 404 : 200).end("{}");
  });
  const get = (path: string): { method: string; path: string } => ({ method: "GET", path });
  await probe(origin, [get("/a"), get("/b")], 1000);
  expect(seen).toEqual(["GET /a", "GET /b"]);
  await expect(probe(origin, [get("/a"), get("/gone")], 1000)).rejects.toThrow(`GET ${origin}/gone answers 404`);
  await expect(probe(origin, [get("/silent")], 100)).rejects.toThrow("no answer within 0.1 s");
  await expect(probe("http://127.0.0.1:1", [get("/")], 1000)).rejects.toThrow(/cannot be reached: .*ECONNREFUSED/);
});
