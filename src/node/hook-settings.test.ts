import { describe, expect, test } from "vitest";
import { hookSettings } from "./hook-settings.ts";

const urls = (environment: Record<string, string>): (string | undefined)[] => {
  const { profilesUrl, metricsUrl } = hookSettings(environment);
  return [profilesUrl?.href, metricsUrl?.href];
};

describe("where to", () => {
  test.each<[Record<string, string>, (string | undefined)[]]>([
    [{}, ["http://127.0.0.1:4318/v1development/profiles", "http://127.0.0.1:4318/v1/metrics"]],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: "https://otel.example/base/" },
      ["https://otel.example/base/v1development/profiles", "https://otel.example/base/v1/metrics"],
    ],
    // Of a gRPC endpoint the same host's port of OTLP over HTTP.
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4317" },
      ["http://collector:4318/v1development/profiles", "http://collector:4318/v1/metrics"],
    ],
    [
      {
        OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "http://m:1/x",
        LONGPOLE_ENDPOINT: "http://l:2",
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://o:3",
      },
      ["http://l:2/v1development/profiles", "http://m:1/x"],
    ],
    [{ LONGPOLE_METRICS: "off", LONGPOLE_PROFILES: "off" }, [undefined, undefined]],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "unix:/run/otel" }, [undefined, undefined]],
  ])("%j", (environment, expected) => expect(urls(environment)).toEqual(expected));
});

test("headers and resource are lists of OpenTelemetry, percent-encoded; OTEL_SERVICE_NAME goes first", () => {
  const { headers, resource } = hookSettings({
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20x,x-a = 1",
    OTEL_RESOURCE_ATTRIBUTES: "service.name=other,host.name=h%2C1,odd=%zz",
    OTEL_SERVICE_NAME: "orders",
  });
  expect(headers).toEqual({ authorization: "Bearer x", "x-a": "1" });
  expect(resource).toEqual({ "service.name": "orders", "host.name": "h,1", odd: "%zz" });
});

test("what cannot be understood is told, and the default taken", () => {
  const settings = hookSettings({
    LONGPOLE_PROFILE_HZ: "fast",
    LONGPOLE_PROFILE_SECONDS: "0",
    LONGPOLE_SPAN_LINKS: "all",
  });
  expect([settings.samplesPerSecond, settings.windowMs, settings.links]).toEqual([49, 10_000, "async"]);
  expect(settings.remarks).toEqual([
    "LONGPOLE_PROFILE_HZ=fast: expected a number from 1 to 999; 49 is taken",
    "LONGPOLE_PROFILE_SECONDS=0: expected a number from 1 to 600; 10 is taken",
    "LONGPOLE_SPAN_LINKS=all: expected async or sync or off; async is taken",
  ]);
});
