import { request as requestHttp, validateHeaderName, validateHeaderValue } from "node:http";
import { request as requestHttps } from "node:https";
import type { OutgoingRequest } from "./send-open-loop.ts";
import type { TargetRequest } from "./step-generator.ts";

/** A target that cannot be, or does not answer, in one sentence for the user. */
export class TargetError extends Error {
  override readonly name: string = "TargetError";
}

export interface TargetOptions {
  readonly method?: string;
  /** "Name: value" each */
  readonly headers?: readonly string[];
  readonly body?: Uint8Array;
  /** lines "[WEIGHT] [METHOD] PATH-OR-URL", with the name of the file they are from */
  readonly list?: { readonly text: string; readonly file: string };
  /** host that is not of this machine and may get load all the same */
  readonly allowRemote?: string;
}

const METHOD = /^[A-Z]{2,20}$/;

/** The requests that a user asks for; refuses what is no http URL, and hosts other than this machine. Throws TargetError. */
export function targetOf(url: string, options: TargetOptions): { origin: string; requests: TargetRequest[] } {
  const base = httpUrl(url, undefined, "");
  if (!isLoopback(base.hostname) && base.hostname !== options.allowRemote)
    throw new TargetError(
      `load goes to this machine only; ${base.hostname} is another one. Who may load it says so: --allow-remote ${base.hostname}`,
    );
  const method = options.method ?? (options.body === undefined ? "GET" : "POST");
  if (!METHOD.test(method)) throw new TargetError(`--method ${method} is no method of HTTP, expected GET, POST, ...`);
  const headers = headersOf(options.headers ?? []);
  const common = { headers, ...(options.body === undefined ? {} : { body: options.body }) };
  const own: TargetRequest = { method, path: base.pathname + base.search, weight: 1, ...common };
  const requests = options.list === undefined ? [own] : listed(options.list, base, own);
  return { origin: base.origin, requests };
}

export function isLoopback(hostname: string): boolean {
  return /^(127(\.\d+){3}|\[::1\]|localhost)$/.test(hostname);
}

/** Asks for every request once, one after the other. Throws TargetError at the first that is not answered well. */
export async function probe(origin: string, requests: readonly OutgoingRequest[], timeoutMs: number): Promise<void> {
  for (const outgoing of requests) {
    const told = await answerTo(origin, outgoing, timeoutMs);
    const what = `${outgoing.method} ${origin}${outgoing.path}`;
    if (typeof told === "string") throw new TargetError(`${what} cannot be reached: ${told}. No load was sent.`);
    if (told >= 400) throw new TargetError(`${what} answers ${told}; no load was sent, since errors have no capacity`);
  }
}

function httpUrl(text: string, base: URL | undefined, where: string): URL {
  const url = URL.canParse(text, base?.href) ? new URL(text, base) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === "")
    throw new TargetError(
      `${where}expected a URL of http or https, such as http://127.0.0.1:8080/orders, found ${text}`,
    );
  if (url.username !== "" || url.password !== "")
    throw new TargetError(`${where}a URL with a password in it is not taken: --header 'Authorization: ...' sends one`);
  return url;
}

function headersOf(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    const [name, value] = [line.slice(0, Math.max(0, colon)).trim(), line.slice(colon + 1).trim()];
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch {
      throw new TargetError(`--header expected "Name: value", found ${JSON.stringify(line)}`);
    }
    headers[name] = value;
  }
  return headers;
}

function listed({ text, file }: { text: string; file: string }, base: URL, own: TargetRequest): TargetRequest[] {
  const requests: TargetRequest[] = [];
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    const words = line.trim().split(/\s+/);
    if (words[0] === "" || words[0]!.startsWith("#")) continue;
    const where = `${file}, line ${i + 1}: `;
    const weight = /^[\d.]+$/.test(words[0]!) ? Number(words.shift()) : 1;
    if (!(weight > 0 && weight < Infinity)) throw new TargetError(`${where}expected a weight above 0`);
    const method = METHOD.test(words[0] ?? "") ? words.shift()! : own.method;
    if (words.length !== 1) throw new TargetError(`${where}expected [WEIGHT] [METHOD] PATH, found ${line.trim()}`);
    const url = httpUrl(words[0]!, base, where);
    if (url.origin !== base.origin)
      throw new TargetError(`${where}${url.origin} is not ${base.origin}, one load has one`);
    requests.push({ ...own, method, path: url.pathname + url.search, weight });
  }
  if (requests.length === 0) throw new TargetError(`${file}: expected a request on each line, found none`);
  return requests;
}

function answerTo(origin: string, outgoing: OutgoingRequest, timeoutMs: number): Promise<number | string> {
  const { method, path, headers = {}, body } = outgoing;
  const request = origin.startsWith("https:") ? requestHttps : requestHttp;
  const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
  return new Promise((resolve) => {
    const asked = request(origin + path, { method, headers: { ...headers, ...length }, agent: false });
    const timer = setTimeout(() => asked.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
    const end = (told: number | string): void => {
      clearTimeout(timer);
      resolve(told);
    };
    asked.once("error", (error: AggregateError & NodeJS.ErrnoException) => {
      // Several addresses tried, one error each.
      end(error.message || (error.errors?.[0] as Error | undefined)?.message || error.code || "no connection");
    });
    asked.once("response", (response) => {
      response.once("error", (error) => end(error.message)).once("end", () => end(response.statusCode ?? 0));
      response.resume();
    });
    asked.end(body);
  });
}
