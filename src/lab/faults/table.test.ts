import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { parseChange } from "../../analysis/parse-change.ts";
import { MECHANISMS } from "../../model/report.ts";
import { LabError } from "../lab-error.ts";
import { ENDPOINTS, type LoadPlan, USUAL_LOAD } from "../load/load-plan.ts";
import { HEALTHY, type SettingsPatch, withSettings } from "../settings.ts";
import type { Fault } from "./fault.ts";
import { FAULTS, faultNamed } from "./table.ts";

const ofKind = (kind: Fault["kind"]): readonly Fault[] => FAULTS.filter((fault) => fault.kind === kind);
const broken = (fault: Fault): boolean => fault.truths.length > 0;
const patchesOf = ({ broken: first, fixed = {} }: Fault): readonly SettingsPatch[] => [first, fixed];

test("names are unique, in kebab-case, and those of their files", () => {
  const names = FAULTS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
  const files = readdirSync(import.meta.dirname)
    .map((file) => file.replace(/\.ts$/, ""))
    .filter((file) => !NOT_FAULTS.has(file));
  expect(files.sort()).toEqual(
    FAULTS.filter(({ kind }) => kind !== "healthy")
      .map(({ name }) => name)
      .sort(),
  );
});

const NOT_FAULTS = new Set(["fault", "healthy-controls", "names", "table", "table.test"]);

test("there are stories, thirty real faults, pairs, controls and red herrings", () => {
  expect(ofKind("story").map(({ name }) => name)).toEqual(["database-doubled", "hungry-ingest"]);
  expect(ofKind("fault").length).toBeGreaterThanOrEqual(30);
  expect(ofKind("pair").length).toBeGreaterThanOrEqual(3);
  expect(ofKind("healthy").length).toBeGreaterThanOrEqual(5);
  expect(ofKind("red-herring").length).toBeGreaterThanOrEqual(4);
});

test.each([
  ["story", 1, 2],
  ["fault", 1, 1],
  ["pair", 2, 2],
  ["red-herring", 0, 1],
  ["healthy", 0, 0],
] as const)("a %s has %i to %i truths", (kind, least, most) => {
  for (const { name, truths } of ofKind(kind)) {
    expect(truths.length, name).toBeGreaterThanOrEqual(least);
    expect(truths.length, name).toBeLessThanOrEqual(most);
  }
});

test("truths are in the words of the report and of the sample system", () => {
  const operations: readonly string[] = Object.values(ENDPOINTS);
  for (const { name, truths } of FAULTS) {
    for (const { mechanism, alsoMechanisms = [], service, alsoServices = [], endpoint } of truths) {
      for (const known of [mechanism, ...alsoMechanisms]) expect(MECHANISMS, name).toContain(known);
      expect(alsoMechanisms, name).not.toContain(mechanism);
      expect(service, name).not.toBe("");
      expect(alsoServices, name).not.toContain(service);
      expect(endpoint.service, name).toBe("gateway");
      expect(operations, name).toContain(endpoint.operation);
    }
  }
});

test("every fault changes something that the fix takes back", () => {
  for (const fault of FAULTS.filter(broken)) {
    const faulty = withSettings(HEALTHY, fault.broken);
    const fixed = fault.fixed === undefined ? HEALTHY : withSettings(faulty, fault.fixed);
    const elsewhere = fault.brokenLoad !== undefined || fault.during !== undefined;
    expect(elsewhere || JSON.stringify(faulty) !== JSON.stringify(HEALTHY), fault.name).toBe(true);
    expect(elsewhere || JSON.stringify(faulty) !== JSON.stringify(fixed), fault.name).toBe(true);
  }
});

test("where earlier times are told, the fix brings them back", () => {
  for (const { name, kind, before, broken: patch, fixed = {} } of FAULTS) {
    if (kind === "story" || before === undefined) continue;
    expect(withSettings(withSettings(HEALTHY, patch), fixed), name).toEqual(withSettings(HEALTHY, before));
  }
});

test("patches have the shape of the settings, whole sub-groups where they touch one", () => {
  for (const fault of FAULTS) {
    for (const patch of patchesOf(fault)) {
      const merged = withSettings(HEALTHY, patch);
      expect(shapeOf(merged), fault.name).toEqual(shapeOf(withSettings(HEALTHY, groupsOfHost(patch))));
    }
  }
});

/** `null` becomes an object only where a patch of `host` says so. */
const groupsOfHost = ({ host }: SettingsPatch): SettingsPatch => (host === undefined ? {} : { host });

const shapeOf = (value: unknown): unknown =>
  typeof value === "object" && value !== null
    ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]))
    : typeof value;

test("loads are loads: a mix of known endpoints that sums to 1, and a rate that two cores can take", () => {
  for (const { name, load, brokenLoad } of FAULTS) {
    const plans: LoadPlan[] = [
      { ...USUAL_LOAD, ...load },
      { ...USUAL_LOAD, ...load, ...brokenLoad },
    ];
    for (const { mix, perSecond, missing } of plans) {
      for (const endpoint of Object.keys(mix)) expect(Object.keys(ENDPOINTS), name).toContain(endpoint);
      expect(
        Object.values(mix).reduce((sum, share) => sum + share, 0),
        name,
      ).toBeCloseTo(1, 9);
      expect(perSecond, name).toBeGreaterThan(0);
      expect(perSecond, name).toBeLessThanOrEqual(200);
      expect(missing, name).toBeLessThan(1);
    }
    expect({ ...load, ...brokenLoad }, `${name}: phases are as long as each other`).not.toHaveProperty("seconds");
  }
});

test("the truth's endpoint is one that the load asks for", () => {
  for (const { name, truths, load, brokenLoad } of FAULTS) {
    const { mix } = { ...USUAL_LOAD, ...load, ...brokenLoad };
    const asked = Object.keys(mix).map((endpoint) => ENDPOINTS[endpoint as keyof typeof ENDPOINTS]);
    for (const { endpoint } of truths) expect(asked, name).toContain(endpoint.operation);
  }
});

test("every what-if is in the change grammar", () => {
  for (const { name, whatIf } of FAULTS)
    for (const spec of whatIf) expect(parseChange(spec), `${name}: ${spec}`).not.toHaveProperty("part");
});

test("what the machine must allow is asked for where it is used", () => {
  for (const fault of FAULTS) {
    const { host, postgres } = withSettings(HEALTHY, fault.broken);
    expect(fault.needs.includes("cpu-cgroup"), fault.name).toBe(host.quota !== null);
    expect(fault.needs.includes("netem"), fault.name).toBe(host.network !== null);
    expect(fault.needs.includes("direct-io"), fault.name).toBe(postgres.directIo);
  }
});

test("a fault is found by its name, and an unknown name is answered with the nearest one", () => {
  expect(faultNamed("missing-index").name).toBe("missing-index");
  const missed = (name: string): unknown => {
    try {
      return faultNamed(name);
    } catch (error) {
      return error;
    }
  };
  expect(missed("missing-indx")).toBeInstanceOf(LabError);
  expect(missed("missing-indx")).toMatchObject({
    code: "unknown-fault",
    message: 'there is no fault "missing-indx": did you mean missing-index?',
  });
  expect(missed("xyzzy")).toMatchObject({ message: 'there is no fault "xyzzy": demo --list names them' });
});
