import { constant, lognormal, scaled } from "../distribution.ts";
import { maybe, step, wait, loop } from "../steps.ts";
import { operationOf, serviceOf } from "../system-walk.ts";
import { chain } from "../systems/chain.ts";
import { shop } from "../systems/shop.ts";
import { threeTier } from "../systems/three-tier.ts";
import { worker } from "../systems/worker.ts";
import { changeOfCall, factorText, type Fault, places, sameMachines, sameSite, slowDown, variants } from "./fault.ts";

const ALL = [threeTier, shop, worker, chain] as const;

/** Faults in how services call each other and in what lies between them. */
export const CALL_FAULTS: readonly Fault[] = [
  ...[false, true].map((varying): Fault => ({
    name: varying ? "sequential-calls-varying" : "sequential-calls",
    summary: varying
      ? "independent calls wait for each other, in an order that varies"
      : "calls that used to run together now wait for each other",
    // always in the same order, independent calls cannot be told from dependent ones within one window
    baseline: !varying,
    shapes: ALL,
    inject: (system, { severity }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "par", ({ step: { branches } }) => branches.length >= 3));
      for (const variant of [faulty, fixed]) slowDown(sameSite(variant, site).step, 1.5 + 3 * severity);
      site.list[site.index] = {
        id: site.step.id,
        kind: "any-order",
        mixed: varying ? draws.between(0.15, 0.6) : 0,
        branches: site.step.branches,
      };
      sameMachines(faulty, [fixed]);
      const service = site.service.name;
      return {
        faulty,
        fixed,
        service,
        mechanism: "sequential-calls",
        operation: site.operation,
        whatIf: [`service=${service},operation=${site.operation},parallel`],
      };
    },
  })),
  {
    name: "n-plus-one-calls",
    summary: "one call of another service per row",
    baseline: false,
    shapes: ALL,
    inject: (system, { severity }, draws) => {
      const { faulty, fixed } = variants(system);
      const candidates = places(faulty, "call", ({ service }) => service.name !== faulty.endpoints[0]!.service);
      if (candidates.length === 0) return null;
      // the deepest: a loop around the first of a chain would multiply the whole of it
      const site = candidates.at(-1)!;
      site.list[site.index] = loop(lognormal(5 + 10 * severity + draws.whole(0, 3), 0.25), [site.step]);
      sameMachines(faulty, [fixed]);
      const whatIf = changeOfCall(faulty, site.service, site.step, "batch");
      return {
        faulty,
        fixed,
        service: site.service.name,
        mechanism: "n-plus-one",
        operation: site.operation,
        ...(whatIf && { whatIf }),
      };
    },
  },
  {
    name: "retries",
    summary: "a callee fails on a share of calls, which are retried after a backoff",
    baseline: false,
    shapes: ALL,
    inject: (system, { severity, extraMs }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "call"));
      const retried = { retries: 3, backoff: scaled(lognormal(1, 0.2), extraMs) };
      Object.assign(site.step, retried);
      for (const variant of [faulty, fixed]) {
        const { steps } = operationOf(serviceOf(variant, site.step.service), site.step.operation);
        steps.splice(1, 0, step({ kind: "fail", probability: 0.06 + 0.25 * severity, status: 503 }));
      }
      sameMachines(faulty, [fixed]);
      const whatIf = changeOfCall(faulty, site.service, site.step, "retries=0");
      // the caller's policy costs the time, the callee's failures are behind it: either is a place to mend it
      return {
        faulty,
        fixed,
        service: site.service.name,
        acceptableServices: [site.step.service],
        mechanism: "retries",
        operation: site.operation,
        ...(whatIf && { whatIf }),
      };
    },
  },
  {
    name: "timeout",
    summary: "a callee hangs on a share of calls until the client gives up",
    baseline: false,
    shapes: ALL,
    inject: (system, { severity, p50Ms }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "call"));
      const timeoutMs = draws.pick([500, 1000, 2000, 3000].filter((ms) => ms > 6 * p50Ms));
      const shorter = Math.ceil(5 * p50Ms);
      for (const variant of [faulty, fixed]) {
        const { steps } = operationOf(serviceOf(variant, site.step.service), site.step.operation);
        steps.splice(1, 0, maybe(0.02 + 0.06 * severity, [wait(constant(20_000))]));
        sameSite(variant, site).step.timeoutMs = variant === faulty ? timeoutMs : shorter;
      }
      const whatIf = changeOfCall(faulty, site.service, site.step, `timeout=${shorter}`);
      // as with retries: the setting is the caller's, the hang the callee's
      return {
        faulty,
        fixed,
        service: site.service.name,
        acceptableServices: [site.step.service],
        mechanism: "timeout",
        operation: site.operation,
        ...(whatIf && { whatIf }),
      };
    },
  },
  {
    name: "network-latency",
    summary: "the way between two services takes long",
    baseline: false,
    shapes: ALL,
    inject: (system, { extraMs }, draws) => {
      const { faulty, fixed } = variants(system);
      const {
        service,
        operation,
        step: { service: callee },
      } = draws.pick(places(faulty, "call"));
      faulty.edgeDelay[`${service.name}>${callee}`] = lognormal(extraMs / 2, 0.3);
      // an edge has two ends
      return {
        faulty,
        fixed,
        service: callee,
        acceptableServices: [service.name],
        mechanism: "network-latency",
        operation,
      };
    },
  },
  {
    name: "external-dependency",
    summary: "a partner outside is slow",
    baseline: false,
    shapes: ALL,
    inject: (system, { extraMs }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "external"));
      // the partners of the base systems answer within some 4-10 ms
      const factor = 1.5 + extraMs / 5;
      site.step.time = scaled(site.step.time, factor);
      const whatIf = changeOfCall(faulty, site.service, site.step, `time=${factorText(1 / factor)}`);
      return {
        faulty,
        fixed,
        service: site.step.address,
        mechanism: "external-dependency",
        operation: site.operation,
        ...(whatIf && { whatIf }),
      };
    },
  },
  {
    name: "payload-size",
    summary: "responses of a service are large, and cost by the kilobyte",
    baseline: false,
    shapes: ALL,
    inject: (system, { extraMs }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "call"));
      const perKb = 0.02;
      for (const variant of [faulty, fixed]) {
        const meanKb = variant === faulty ? extraMs / perKb : 4;
        operationOf(serviceOf(variant, site.step.service), site.step.operation).body = {
          bytes: lognormal(1024 * meanKb, 1.2),
          cpuMsPerKb: perKb / 2,
          wireMsPerKb: perKb / 2,
        };
      }
      // serialising is not a step, so the machines are made roomy by hand
      for (const variant of [faulty, fixed])
        Object.assign(serviceOf(variant, site.step.service), { cpu: "threads", cores: 8 });
      // the callee sends too much, or the caller asks for too much
      return {
        faulty,
        fixed,
        service: site.step.service,
        acceptableServices: [site.service.name],
        mechanism: "payload-size",
        operation: site.step.operation,
      };
    },
  },
];
