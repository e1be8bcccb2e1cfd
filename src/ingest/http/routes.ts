import type { IncomingMessage } from "node:http";
import type { BodyEncoding, BodyFormat } from "../body.ts";
import type { Signal } from "../signal.ts";
import type { AnswerType, Headers } from "./http-answer.ts";

export type Protocol = "otlp" | "zipkin" | "remote-write" | "profile";

/** What a request is, by its head. */
export interface Destination {
  readonly protocol: Protocol;
  readonly signal: Signal;
  readonly format: BodyFormat;
  readonly encoding: BodyEncoding;
  readonly type: AnswerType;
  /** whose profile it is */
  readonly service?: string;
}

/** Why a request is not taken, by its head. */
export interface TurnedAway {
  readonly status: 404 | 405 | 415;
  readonly type: AnswerType;
  readonly message: string;
  readonly headers?: Headers;
}

interface Route {
  readonly protocol: Protocol;
  readonly signal: Signal;
  /** media types and how bodies of them are read; "*" is any */
  readonly formats: Readonly<Record<string, BodyFormat>>;
  /** Content-Encoding and what it means */
  readonly encodings: Readonly<Record<string, BodyEncoding>>;
}

const OTLP_FORMATS = { "application/x-protobuf": "otlp-protobuf", "application/json": "otlp-json" } as const;
/** "x-gzip" is gzip's name of old, which RFC 9110 wants to be understood. */
const ENCODINGS = { identity: "identity", gzip: "gzip", "x-gzip": "gzip", deflate: "deflate", zstd: "zstd" } as const;

const otlp = (signal: Signal): Route => ({ protocol: "otlp", signal, formats: OTLP_FORMATS, encodings: ENCODINGS });

const ROUTES: Readonly<Record<string, Route>> = {
  "/v1/traces": otlp("traces"),
  "/v1/metrics": otlp("metrics"),
  "/v1/logs": otlp("logs"),
  // Of a signal in development, as the specification names it.
  "/v1development/profiles": otlp("profiles"),
  "/api/v2/spans": {
    protocol: "zipkin",
    signal: "traces",
    formats: { "application/json": "zipkin-json" },
    encodings: ENCODINGS,
  },
  "/api/v1/write": {
    protocol: "remote-write",
    signal: "metrics",
    formats: {
      "application/x-protobuf": "remote-write-1",
      "application/x-protobuf;proto=prometheus.WriteRequest": "remote-write-1",
      "application/x-protobuf;proto=io.prometheus.write.v2.Request": "remote-write-2",
    },
    encodings: { snappy: "snappy" },
  },
  // Told apart by their content, as files are.
  "/api/v1/profiles": { protocol: "profile", signal: "profiles", formats: { "*": "profile" }, encodings: ENCODINGS },
};

/** Where a request goes. The methods and types of a path are told to those who send others. */
export function destinationOf(request: Pick<IncomingMessage, "url" | "method" | "headers">): Destination | TurnedAway {
  const [path = "", query = ""] = (request.url ?? "").split("?", 2);
  const route = own(ROUTES, path);
  const media = mediaOf(request.headers["content-type"] ?? "", route);
  const type = answerTypeOf(route, media);
  if (route === undefined) return { status: 404, type, message: `nothing is received at ${path}` };
  if (request.method !== "POST")
    return { status: 405, type, message: `${path} takes POST alone`, headers: { allow: "POST" } };
  const format = own(route.formats, media) ?? own(route.formats, "*");
  if (format === undefined) {
    const message = `Content-Type has to be ${Object.keys(route.formats).join(" or ")}`;
    return { status: 415, type, message };
  }
  const names = Object.keys(route.encodings);
  const encoding = own(route.encodings, encodingName(request, names));
  if (encoding === undefined) {
    const message = `Content-Encoding has to be ${names.join(" or ")}`;
    return { status: 415, type, message, headers: { "accept-encoding": names.join(", ") } };
  }
  const service = new URLSearchParams(query).get("service") ?? "";
  return { protocol: route.protocol, signal: route.signal, format, encoding, type, ...(service && { service }) };
}

const own = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;

/** The type of a body. Which message it is stands in a parameter of remote-write's; others' say nothing new. */
function mediaOf(contentType: string, route: Route | undefined): string {
  const [type = "", ...parameters] = contentType.split(";").map((part) => part.trim());
  const proto = route?.protocol === "remote-write" ? parameters.find((part) => part.startsWith("proto=")) : undefined;
  return type.toLowerCase() + (proto === undefined ? "" : `;${proto}`);
}

/** Where there is but one, as in remote-write, it may be left out: 1.0 asked for the header only later. */
function encodingName(request: Pick<IncomingMessage, "headers">, names: readonly string[]): string {
  const told = request.headers["content-encoding"]?.trim().toLowerCase();
  return told ?? (names.length === 1 ? names[0]! : "identity");
}

/** OTLP's failures are a Status in the type of the request; one of an unknown type gets what a person can read. */
function answerTypeOf(route: Route | undefined, media: string): AnswerType {
  if (route?.protocol !== "otlp") return "text";
  return media === "application/x-protobuf" ? "protobuf" : "json";
}
