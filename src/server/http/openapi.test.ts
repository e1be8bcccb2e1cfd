import Fastify, { type FastifyInstance } from "fastify";
import { expect, test } from "vitest";
import { addOpenApi } from "./openapi.ts";

test("the headers of an answer are described where a route names them, and nowhere else", async () => {
  const app = Fastify() as unknown as FastifyInstance;
  addOpenApi(app, "0");
  app.get("/old", { schema: { summary: "an old one", answerHeaders: { "longpole-stale": "its time" } } }, () => "");
  app.get("/new", { schema: { summary: "a new one" } }, () => "");
  const { paths } = (await app.inject({ url: "/api/v1/openapi.json" })).json();
  expect(paths["/old"].get.responses["200"].headers).toEqual({
    "longpole-stale": { description: "its time", schema: { type: "string" } },
  });
  expect(paths["/new"].get.responses["200"].headers).toBeUndefined();
});
