import { expect, test } from "vitest";
import { HEALTHY, withSettings, type SettingsPatch } from "../settings.ts";
import { instancesOf } from "./instances.ts";

const namesOf = (patch: SettingsPatch): string[] => instancesOf(withSettings(HEALTHY, patch)).map(({ name }) => name);

test("each service has one process, and zones as many as it has replicas", () => {
  const names = ["gateway-0", "zones-0", "accounts-0", "registrar-0", "ingest-0", "aggregator-0"];
  expect(namesOf({})).toEqual(names);
  expect(namesOf({ zones: { replicas: 2 } })).toEqual(names.toSpliced(2, 0, "zones-1"));
});

function changed(patch: SettingsPatch): string[] {
  const keys = new Map(instancesOf(HEALTHY).map(({ name, key }) => [name, key]));
  return instancesOf(withSettings(HEALTHY, patch)).flatMap(({ name, key }) => (keys.get(name) === key ? [] : [name]));
}

test.each<[SettingsPatch, string[]]>([
  [{}, []],
  [{ gateway: { keepAlive: false } }, ["gateway-0"]],
  [{ accounts: { heapMb: 96 } }, ["accounts-0"]],
  [{ ingest: { youngMb: 1 } }, ["ingest-0"]],
  [{ zones: { threads: 1 } }, ["zones-0"]],
  // A new replica does not restart those that are there.
  [{ zones: { replicas: 3 } }, ["zones-1", "zones-2"]],
  [{ zones: { replicas: 2, pairwiseReplica: 1 } }, ["zones-1"]],
  [{ zones: { pairwiseReplica: 0 } }, ["zones-0"]],
  [{ host: { quota: { service: "zones", cores: 0.5 } } }, ["zones-0"]],
  [{ host: { network: { service: "accounts", delayMs: 5, lossRatio: 0 } } }, ["accounts-0"]],
  [{ host: { diskWriters: 2, neighbours: { processes: 1, nice: 5 } } }, []],
  [{ postgres: { records: 1 } }, []],
])("%j restarts %j", (patch, expected) => {
  expect(changed(patch)).toEqual(expected);
});

test("what V8 and libuv are told stands where they look for it", () => {
  const settings = withSettings(HEALTHY, { accounts: { heapMb: 96 }, ingest: { youngMb: 1 }, zones: { threads: 2 } });
  const byName = new Map(instancesOf(settings).map((instance) => [instance.name, instance]));
  expect(byName.get("accounts-0")?.execArgv).toEqual(["--max-old-space-size=96"]);
  expect(byName.get("ingest-0")?.execArgv).toEqual(["--max-semi-space-size=1"]);
  expect(byName.get("zones-0")?.env).toEqual({ UV_THREADPOOL_SIZE: "2" });
});
