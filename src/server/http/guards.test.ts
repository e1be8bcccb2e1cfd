import Fastify, { type FastifyInstance } from "fastify";
import { expect, test } from "vitest";
import { addGuards, tokenCheck } from "./guards.ts";
import { problemOf } from "./http-error.ts";

const TOKEN = "0123456789abcdef";
const OTHER = "fedcba9876543210";

function app(tokens: readonly string[] = [], hosts: readonly string[] = []): FastifyInstance {
  const server = Fastify();
  server.setErrorHandler((error, _, reply) => {
    const { problem, headers } = problemOf(error);
    return reply.code(problem.status).headers(headers).send(problem);
  });
  addGuards(server, { tokens, hosts });
  server.get("/data", () => "data");
  server.post("/data", () => "changed");
  server.get("/healthz", () => "ok");
  return server;
}

async function status(
  server: FastifyInstance,
  request: { method?: "GET" | "POST"; headers?: Record<string, string>; url?: string },
): Promise<number> {
  const answer = await server.inject({
    method: request.method ?? "GET",
    url: request.url ?? "/data",
    headers: { host: "127.0.0.1:7077", ...request.headers },
  });
  return answer.statusCode;
}

test("only a bearer token of the server lets in; whether it is alive, everybody may ask", async () => {
  const server = app([TOKEN, OTHER]);
  const ask = (authorization?: string) =>
    status(server, { headers: authorization === undefined ? {} : { authorization } });
  expect(await ask(`Bearer ${TOKEN}`)).toBe(200);
  expect(await ask(`bearer  ${OTHER}`)).toBe(200);
  const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString("base64")}`;
  expect(await ask(basic(`anybody:${TOKEN}`))).toBe(200);
  for (const wrong of [basic(`${TOKEN}:`), basic("anybody:"), basic(":"), "Basic"])
    expect(await ask(wrong), wrong).toBe(401);
  for (const wrong of [
    undefined,
    "",
    "Bearer",
    `Bearer ${TOKEN}x`,
    `Bearer ${TOKEN.slice(1)}`,
    `Basic ${TOKEN}`,
    TOKEN,
  ])
    expect(await ask(wrong), String(wrong)).toBe(401);
  expect(await status(server, { url: "/healthz" })).toBe(200);
  // A path that only looks like an open one.
  expect(await status(server, { url: "/healthz/../data" })).toBe(401);
  const refused = await server.inject({ url: "/data", headers: { host: "127.0.0.1" } });
  expect(refused.headers["www-authenticate"]).toEqual([
    'Basic realm="longpole", charset="UTF-8"',
    'Bearer realm="longpole"',
  ]);
});

test("an empty token in the header is none, even where the header's form is right", () => {
  expect(tokenCheck([TOKEN])("Bearer ")).toBe(false);
  expect(tokenCheck([])(undefined)).toBe(true);
});

test.each([
  ["127.0.0.1:7077", 200],
  ["localhost:7077", 200],
  ["[::1]:7077", 200],
  ["192.0.2.7", 200],
  ["longpole.example.org", 200],
  ["evil.example", 421],
  ["localhost.evil.example", 421],
  ["127.0.0.1.evil.example:7077", 421],
])("without tokens the host %j is answered with %i", async (host, expected) => {
  expect(await status(app([], ["longpole.example.org"]), { headers: { host } })).toBe(expected);
});

test("a page of another origin can neither start nor change anything", async () => {
  const post = (headers: Record<string, string>) => status(app(), { method: "POST", headers });
  expect(await post({})).toBe(200);
  expect(await post({ origin: "http://127.0.0.1:7077" })).toBe(200);
  expect(await post({ origin: "http://127.0.0.1:8080" })).toBe(403);
  expect(await post({ origin: "https://evil.example" })).toBe(403);
  expect(await post({ origin: "null" })).toBe(403);
  expect(await post({ "sec-fetch-site": "cross-site" })).toBe(403);
  expect(await post({ "sec-fetch-site": "same-origin", origin: "http://127.0.0.1:7077" })).toBe(200);
});

test("every answer carries the headers that keep a browser from being misled, refusals too", async () => {
  for (const host of ["127.0.0.1", "evil.example"]) {
    const { headers } = await app().inject({ url: "/data", headers: { host } });
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
    expect(headers["content-security-policy"]).not.toContain("unsafe");
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["cache-control"]).toBe("no-store");
  }
});
