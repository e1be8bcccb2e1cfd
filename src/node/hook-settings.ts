/** What the environment says of the hook; names of OpenTelemetry where it has one. */
export interface HookSettings {
  /** requests of OTLP over HTTP go to these; undefined where that signal is not wanted */
  readonly profilesUrl: URL | undefined;
  readonly metricsUrl: URL | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** profiles are appended to it, too; "" for none */
  readonly file: string;
  readonly samplesPerSecond: number;
  readonly windowMs: number;
  /** how the span of a sample is found */
  readonly links: "async" | "sync" | "off";
  readonly allocations: "auto" | "on" | "off";
  /** whether what goes wrong is said on standard error */
  readonly isTalking: boolean;
  /** attributes of the resource, as the environment tells them */
  readonly resource: Readonly<Record<string, string>>;
  /** what could not be understood, for a person */
  readonly remarks: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_ENDPOINT = "http://127.0.0.1:4318";
const PROFILES_PATH = "v1development/profiles";
const METRICS_PATH = "v1/metrics";

/**
 * Settings from the environment. A variable that cannot be understood is told in `remarks` and its default taken: the
 * program that the hook was loaded into is more important.
 */
export function hookSettings(environment: Environment): HookSettings {
  const remarks: string[] = [];
  const text = (name: string): string => environment[name]?.trim() ?? "";
  const number = (name: string, low: number, high: number, otherwise: number): number => {
    if (text(name) === "") return otherwise;
    const value = Number(text(name));
    if (value >= low && value <= high) return value;
    remarks.push(`${name}=${text(name)}: expected a number from ${low} to ${high}; ${otherwise} is taken`);
    return otherwise;
  };
  const choice = <T extends string>(name: string, choices: readonly [T, ...T[]]): T => {
    const found = choices.find((one) => one === text(name));
    if (found === undefined && text(name) !== "")
      remarks.push(`${name}=${text(name)}: expected ${choices.join(" or ")}; ${choices[0]} is taken`);
    return found ?? choices[0];
  };
  const url = (signal: "PROFILES" | "METRICS", path: string): URL | undefined => {
    const own = text(`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`);
    const base = text("LONGPOLE_ENDPOINT") || text("OTEL_EXPORTER_OTLP_ENDPOINT") || DEFAULT_ENDPOINT;
    const address = own === "" ? `${base.replace(/\/+$/, "")}/${path}` : own;
    const parsed = URL.canParse(address) ? new URL(address) : undefined;
    if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
      remarks.push(`${address}: expected a URL of http or https; ${signal.toLowerCase()} are not sent`);
      return undefined;
    }
    // The same collector's port for OTLP over gRPC, by its number in the specification.
    if (own === "" && parsed.port === "4317") parsed.port = "4318";
    return parsed;
  };
  const isOn = (name: string): boolean => choice(name, ["on", "off"]) === "on";
  return {
    profilesUrl: isOn("LONGPOLE_PROFILES") ? url("PROFILES", PROFILES_PATH) : undefined,
    metricsUrl: isOn("LONGPOLE_METRICS") ? url("METRICS", METRICS_PATH) : undefined,
    headers: keyValues(text("OTEL_EXPORTER_OTLP_HEADERS")),
    file: text("LONGPOLE_PROFILE_FILE").replaceAll("%p", String(process.pid)),
    samplesPerSecond: number("LONGPOLE_PROFILE_HZ", 1, 999, 49),
    windowMs: 1000 * number("LONGPOLE_PROFILE_SECONDS", 1, 600, 10),
    links: choice("LONGPOLE_SPAN_LINKS", ["async", "sync", "off"]),
    allocations: choice("LONGPOLE_ALLOCATIONS", ["auto", "on", "off"]),
    isTalking: text("LONGPOLE_LOG") === "debug",
    resource: {
      ...keyValues(text("OTEL_RESOURCE_ATTRIBUTES")),
      ...(text("OTEL_SERVICE_NAME") === "" ? {} : { "service.name": text("OTEL_SERVICE_NAME") }),
    },
    remarks,
  };
}

/** "a=1,b=2", percent-encoded, as OpenTelemetry writes lists in variables. */
function keyValues(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const pair of text.split(",")) {
    const at = pair.indexOf("=");
    if (at <= 0) continue;
    const value = pair.slice(at + 1).trim();
    try {
      found[pair.slice(0, at).trim()] = decodeURIComponent(value);
    } catch {
      found[pair.slice(0, at).trim()] = value;
    }
  }
  return found;
}
