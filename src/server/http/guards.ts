import { createHash, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { isLoopback } from "../config/settings.ts";
import { HttpError } from "./http-error.ts";

export interface GuardSettings {
  readonly tokens: readonly string[];
  /** names by which the server may be called */
  readonly hosts: readonly string[];
}

/** Who is alive or ready is nobody's secret, and supervisors have no token. */
const OPEN_PATHS: ReadonlySet<string> = new Set(["/healthz", "/readyz"]);

/** The one origin that scripts, styles and data come from; nothing inline. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  // Answers are of now, and of whoever has the token.
  "cache-control": "no-store",
};

/** One header for each: browsers read a list in one header as its first challenge alone, and ask for no password. */
const CHALLENGES = ['Basic realm="longpole", charset="UTF-8"', 'Bearer realm="longpole"'];

/** Who may ask what, before anything is read or parsed. */
export function addGuards(app: FastifyInstance, settings: GuardSettings): void {
  const isAllowed = tokenCheck(settings.tokens);
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(HEADERS);
    refuseUnknownHost(request, settings);
    refuseForeignOrigin(request);
    if (OPEN_PATHS.has(request.url.split("?", 1)[0]!)) return;
    if (!isAllowed(request.headers.authorization)) {
      throw new HttpError(401, "expected the header Authorization: Bearer TOKEN with a token of this server", {
        // A browser asks for a name and a password: the token is the latter.
        headers: { "www-authenticate": CHALLENGES },
      });
    }
  });
}

/**
 * Whether a header holds one of the tokens, as bearer or as the password of any name, for browsers. In a time that depends on neither: digests are compared, with all of them.
 * Without tokens everybody may: then only this machine can reach the server.
 */
export function tokenCheck(tokens: readonly string[]): (authorization: string | undefined) => boolean {
  if (tokens.length === 0) return () => true;
  const digests = tokens.map(digest);
  return (authorization) => {
    const given = digest(givenToken(authorization ?? ""));
    let found = false;
    for (const known of digests) found = timingSafeEqual(known, given) || found;
    return found;
  };
}

function givenToken(authorization: string): string {
  const [, scheme, value] = /^(Bearer|Basic) +(\S+) *$/i.exec(authorization) ?? [];
  if (scheme === undefined || value === undefined) return "";
  if (scheme.toLowerCase() === "bearer") return value;
  const pair = Buffer.from(value, "base64").toString("utf8");
  return pair.slice(pair.indexOf(":") + 1);
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/**
 * A page of another site can make its name point to this machine and so read from here (DNS rebinding): only addresses,
 * names of this machine and those of the configuration are answered. Where a token is needed it would not have one.
 */
function refuseUnknownHost(request: FastifyRequest, { tokens, hosts }: GuardSettings): void {
  if (tokens.length > 0 && hosts.length === 0) return;
  const name = hostName(request.headers.host ?? "");
  const isAddress = isIP(name) !== 0;
  if (isAddress || isLoopback(name) || name.endsWith(".localhost") || hosts.includes(name)) return;
  throw new HttpError(
    421,
    `this server does not answer for the host "${name.slice(0, 100)}"; "hosts" in longpole.yaml names those it does`,
  );
}

/** Without port and brackets, in lower case. */
function hostName(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1");
}

/** Requests that a page of another site makes in the name of who reads it (CSRF). Programs send neither header. */
function refuseForeignOrigin(request: FastifyRequest): void {
  if (request.method === "GET" || request.method === "HEAD") return;
  const { origin, host } = request.headers;
  const isForeign =
    request.headers["sec-fetch-site"] === "cross-site" ||
    (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== (host ?? "").toLowerCase()));
  if (isForeign) throw new HttpError(403, "a page of another origin may not change or start anything here");
}
