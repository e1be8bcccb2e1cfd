import type { FastifyInstance, RouteOptions } from "fastify";
import { Problem } from "../api/common.ts";

declare module "fastify/types/schema.js" {
  /** What a route tells besides what validates it. */
  interface FastifySchema {
    readonly summary?: string;
    readonly tags?: readonly string[];
    /** content types of the answer, JSON if absent */
    readonly produces?: readonly string[];
    /** content types of the body, JSON if absent */
    readonly consumes?: readonly string[];
    /** headers that an answer may have, and what they say */
    readonly answerHeaders?: Readonly<Record<string, string>>;
  }
}

interface Described {
  readonly method: string;
  readonly url: string;
  readonly schema: RouteSchema;
}

interface JsonSchema {
  readonly $id?: string;
  readonly properties?: Readonly<Record<string, object>>;
  readonly required?: readonly string[];
}

/** What a route says of itself; all but `response` and the texts also validates its requests. */
interface RouteSchema {
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly querystring?: JsonSchema;
  readonly params?: JsonSchema;
  readonly body?: JsonSchema;
  readonly response?: Readonly<Record<string, JsonSchema>>;
  readonly produces?: readonly string[];
  readonly consumes?: readonly string[];
  readonly answerHeaders?: Readonly<Record<string, string>>;
}

/**
 * Gathers the routes with a summary as they are added, and serves them as an OpenAPI 3.1 document, whose schemas are those
 * that validate: JSON Schema 2020-12 as it stands.
 */
export function addOpenApi(app: FastifyInstance, version: string): void {
  const routes: Described[] = [];
  app.addHook("onRoute", (route: RouteOptions) => {
    const schema = (route.schema ?? {}) as RouteSchema;
    if (schema.summary === undefined) return;
    const methods = Array.isArray(route.method) ? route.method : [route.method];
    for (const method of methods) {
      if (method !== "HEAD") routes.push({ method: method.toLowerCase(), url: route.url, schema });
    }
  });
  app.get("/api/v1/openapi.json", () => documentOf(routes, version));
}

function documentOf(routes: readonly Described[], version: string): object {
  const named: Record<string, JsonSchema> = {};
  const schemaOf = (schema: JsonSchema): object => {
    if (schema.$id === undefined) return schema;
    const { $id, ...plain } = schema;
    named[$id] = plain;
    return { $ref: `#/components/schemas/${$id}` };
  };
  const paths: Record<string, Record<string, object>> = {};
  for (const { method, url, schema } of routes) {
    const path = url.replaceAll(/:(\w+)/g, "{$1}");
    (paths[path] ??= {})[method] = operationOf(schema, schemaOf);
  }
  return {
    openapi: "3.1.0",
    info: { title: "Longpole", version, description: "Reports, traces and rates of a running Longpole server." },
    security: [{}, { token: [] }],
    paths,
    components: {
      schemas: named,
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
  };
}

function operationOf(schema: RouteSchema, schemaOf: (schema: JsonSchema) => object): object {
  const parameters = (["params", "querystring"] as const).flatMap((place) => {
    const { properties = {}, required = [] } = schema[place] ?? {};
    return Object.entries(properties).map(([name, property]) => ({
      ...parameterOf(property),
      name,
      in: place === "params" ? "path" : "query",
      required: place === "params" || required.includes(name),
    }));
  });
  const types = schema.produces ?? ["application/json"];
  const headers = Object.fromEntries(
    Object.entries(schema.answerHeaders ?? {}).map(([name, description]) => [
      name,
      { description, schema: { type: "string" } },
    ]),
  );
  const responses = Object.entries(schema.response ?? { 200: {} }).map(([status, body]) => [
    status,
    {
      description: "the answer",
      ...(schema.answerHeaders === undefined ? {} : { headers }),
      content: Object.fromEntries(types.map((type) => [type, { schema: schemaOf(body) }])),
    },
  ]);
  const problem = {
    description: "what is wrong",
    content: { "application/problem+json": { schema: schemaOf(Problem) } },
  };
  const consumed = schema.consumes ?? ["application/json"];
  return {
    summary: schema.summary,
    ...(schema.tags === undefined ? {} : { tags: schema.tags }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(schema.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: Object.fromEntries(consumed.map((type) => [type, { schema: schemaOf(schema.body!) }])),
          },
        }),
    responses: { ...(Object.fromEntries(responses) as object), default: problem },
  };
}

function parameterOf(property: object): { description?: string; schema: object } {
  const { description, ...schema } = property as { readonly description?: string };
  return { ...(description === undefined ? {} : { description }), schema };
}
