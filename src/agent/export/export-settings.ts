import { readFileSync } from "node:fs";

/** Why the agent cannot send as it was told to, in a sentence for the user. */
export class SettingError extends Error {
  override readonly name: string = "SettingError";
}

export interface Endpoint {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ExportSettings {
  readonly metrics: Endpoint;
  readonly profiles: Endpoint;
  readonly timeoutMs: number;
  readonly isCompressed: boolean;
  readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
}

type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_ENDPOINT = "http://127.0.0.1:4318";

/**
 * Where to send, by the option `--endpoint` and the variables OTEL_EXPORTER_OTLP_* of the specification; those of one
 * signal before those of all. Throws a SettingError for what is not understood.
 */
export function exportSettings(endpoint: string | undefined, environment: Environment): ExportSettings {
  const of = (signal: string, name: string): string | undefined =>
    text(environment[`OTEL_EXPORTER_OTLP_${signal}_${name}`]) ?? text(environment[`OTEL_EXPORTER_OTLP_${name}`]);
  const protocol = of("METRICS", "PROTOCOL") ?? "http/protobuf";
  if (protocol !== "http/protobuf")
    throw new SettingError(`OTEL_EXPORTER_OTLP_PROTOCOL is ${protocol}: the agent sends http/protobuf`);
  const compression = of("METRICS", "COMPRESSION") ?? "gzip";
  if (compression !== "gzip" && compression !== "none")
    throw new SettingError(`OTEL_EXPORTER_OTLP_COMPRESSION is ${compression}: expected gzip or none`);
  const timeoutText = of("METRICS", "TIMEOUT") ?? "10000";
  const timeoutMs = Number(timeoutText);
  if (!(timeoutMs >= 1 && timeoutMs <= 3_600_000))
    throw new SettingError(`OTEL_EXPORTER_OTLP_TIMEOUT is ${timeoutText}: expected milliseconds`);
  const file = (name: string): Buffer | undefined => {
    const path = of("METRICS", name);
    if (path === undefined) return undefined;
    try {
      return readFileSync(path);
    } catch (error) {
      throw new SettingError(`OTEL_EXPORTER_OTLP_${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const [ca, cert, key] = [file("CERTIFICATE"), file("CLIENT_CERTIFICATE"), file("CLIENT_KEY")];
  const one = (signal: string, path: string): Endpoint => {
    const url = urlOf(endpoint, text(environment[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`]), environment, path);
    return withoutSecrets({ url, headers: headersOf(of(signal, "HEADERS") ?? "") });
  };
  return {
    metrics: one("METRICS", "v1/metrics"),
    profiles: one("PROFILES", "v1development/profiles"),
    timeoutMs,
    isCompressed: compression === "gzip",
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
  };
}

const text = (value: string | undefined): string | undefined => (value?.trim() ? value.trim() : undefined);

/** An address of one signal is taken as it is, one of all gets the signal's path. */
function urlOf(option: string | undefined, own: string | undefined, environment: Environment, path: string): URL {
  const base = option ?? text(environment["OTEL_EXPORTER_OTLP_ENDPOINT"]) ?? DEFAULT_ENDPOINT;
  const whole = option === undefined && own !== undefined ? own : `${base.replace(/\/+$/, "")}/${path}`;
  let url: URL;
  try {
    url = new URL(whole);
  } catch {
    throw new SettingError(`${base} is no address: expected http://HOST:PORT`);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new SettingError(`${base} is no address of HTTP: expected http://HOST:PORT or https://HOST:PORT`);
  return url;
}

/** Name and password of an address as a header: the log tells addresses, and never a password. */
function withoutSecrets({ url, headers }: Endpoint): Endpoint {
  if (url.username === "" && url.password === "") return { url, headers };
  const pair = decoded(`${url.username}:${url.password}`, "the name and password of the address");
  const bare = new URL(url);
  bare.username = bare.password = "";
  return { url: bare, headers: { authorization: `Basic ${Buffer.from(pair).toString("base64")}`, ...headers } };
}

function decoded(value: string, what: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    // What it is may be a secret: nothing of it is repeated.
    throw new SettingError(`${what}: expected percent-encoding, found a % without two hexadecimal digits of UTF-8`);
  }
}

/** `key=value,key=value`, percent-encoded. */
function headersOf(list: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const pair of list.split(",")) {
    if (pair.trim() === "") continue;
    const at = pair.indexOf("=");
    if (at <= 0) throw new SettingError("OTEL_EXPORTER_OTLP_HEADERS: expected key=value,key=value");
    const key = pair.slice(0, at).trim().toLowerCase();
    headers[key] = decoded(pair.slice(at + 1).trim(), `OTEL_EXPORTER_OTLP_HEADERS, ${key}`);
  }
  return headers;
}
