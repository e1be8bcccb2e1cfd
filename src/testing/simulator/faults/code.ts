import { constant, exponential, lognormal, mean, scaled } from "../distribution.ts";
import { compute, maybe, step, wait } from "../steps.ts";
import { operationOf, serviceOf, type Site } from "../system-walk.ts";
import { chain } from "../systems/chain.ts";
import { shop } from "../systems/shop.ts";
import { threeTier } from "../systems/three-tier.ts";
import { worker } from "../systems/worker.ts";
import {
  factorText,
  type Fault,
  ownTime,
  passesPerRequest,
  places,
  sameMachines,
  sameSite,
  variants,
} from "./fault.ts";

const ALL = [threeTier, shop, worker, chain] as const;

/** Operations in which a good part of the own time stands directly under the SERVER span, not of the gateway. */
const isOwnCode = (site: Site<"compute">): boolean =>
  ownTime(operationOf(site.service, site.operation).steps) > 1 && site.list.includes(site.step);

/** Faults in the code of a service. */
export const CODE_FAULTS: readonly Fault[] = [
  {
    name: "slow-code",
    summary: "an operation needs several times the CPU",
    baseline: false,
    shapes: ALL,
    inject: (system, { extraMs }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "compute", isOwnCode));
      const { steps } = operationOf(site.service, site.operation);
      const factor = 1 + extraMs / ownTime(steps);
      for (const own of steps) if (own.kind === "compute") own.time = scaled(own.time, factor);
      sameMachines(faulty, [fixed]);
      const service = site.service.name;
      return {
        faulty,
        fixed,
        service,
        mechanism: "slow-code",
        operation: site.operation,
        whatIf: [`service=${service},operation=${site.operation},time=${factorText(1 / factor)}`],
      };
    },
  },
  {
    name: "tenant-slow-code",
    summary: "an operation is slow for one tenant",
    baseline: false,
    shapes: ALL,
    inject: (system, { extraMs }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "compute", isOwnCode));
      const attribute = faulty.requestAttributes[0]!;
      const tenant = attribute.values[draws.whole(1, 2)]!.value;
      site.list.splice(
        site.index + 1,
        0,
        step({ kind: "when", key: attribute.key, value: tenant, steps: [compute(2 * extraMs, 0.4)] }),
      );
      sameMachines(faulty, [fixed]);
      return { faulty, fixed, service: site.service.name, mechanism: "slow-code", operation: site.operation };
    },
  },
  {
    name: "fixed-delay",
    summary: "code sleeps for a fixed time on a share of requests",
    baseline: false,
    shapes: ALL,
    inject: (system, { severity, p50Ms }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "compute"));
      const delay = draws.pick([40, 100, 200, 1000].filter((ms) => ms > p50Ms));
      site.list.splice(site.index + 1, 0, maybe(0.04 + 0.4 * severity, [wait(constant(delay))]));
      return { faulty, fixed, service: site.service.name, mechanism: "fixed-delay", operation: site.operation };
    },
  },
  {
    name: "lock-contention",
    summary: "all requests of an instance pass one lock",
    baseline: false,
    shapes: ALL,
    inject: (system, { severity }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "compute", isOwnCode));
      const lock = `monitor-${site.step.id}`;
      const held = scaled(site.step.time, 2);
      const sectionMs = mean(held);
      for (const variant of [faulty, fixed]) {
        serviceOf(variant, site.service.name).cpu = "threads";
        sameSite(variant, site).step.time = held;
      }
      // M/G/1 per instance: the wait is some rho / (1 - rho) sections long
      const rho = 0.86 + 0.1 * severity;
      const passes = passesPerRequest(faulty, site.step.id);
      for (const variant of [faulty, fixed])
        variant.ratePerSecond = (rho * 1000 * site.service.instances) / sectionMs / passes;
      site.list[site.index] = step({ kind: "lock", name: lock, steps: [site.step] });
      sameMachines(faulty, [fixed], 0.5);
      // own time that grows with the requests in flight: from spans alone a lock, busy cores and too few threads look alike
      return {
        faulty,
        fixed,
        service: site.service.name,
        mechanism: "lock-contention",
        acceptableMechanisms: ["cpu-saturated", "thread-starvation"],
        operation: site.operation,
      };
    },
  },
  {
    name: "garbage-collection",
    summary: "all instances of a service stop now and then",
    baseline: false,
    shapes: ALL,
    inject: (system, { severity, p50Ms }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "compute"));
      for (const variant of [faulty, fixed]) serviceOf(variant, site.service.name).cpu = "threads";
      const length = Math.max(60, p50Ms * (1.5 + 2.5 * severity));
      serviceOf(faulty, site.service.name).pauses.push({
        instance: -1,
        every: exponential(length * (8 + 8 * draws.uniform())),
        length: lognormal(length, 0.3),
      });
      // standstills of a whole process: what stopped it is not in the spans
      return {
        faulty,
        fixed,
        service: site.service.name,
        mechanism: "garbage-collection",
        acceptableMechanisms: ["event-loop-blocked"],
        operation: site.operation,
      };
    },
  },
  {
    name: "event-loop-blocked",
    summary: "one instance's event loop is blocked now and then",
    baseline: false,
    shapes: ALL,
    inject: (system, { severity, p50Ms }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "compute"));
      for (const variant of [faulty, fixed])
        Object.assign(serviceOf(variant, site.service.name), { cpu: "event-loop", cores: 1, language: "nodejs" });
      sameMachines(faulty, [fixed], 0.5);
      const { instances, pauses } = serviceOf(faulty, site.service.name);
      const length = Math.max(150, p50Ms * (3 + 4 * severity));
      pauses.push({
        instance: draws.whole(0, instances - 1),
        every: exponential(length * 5),
        length: lognormal(length, 0.3),
      });
      // as above; and since it is one instance that stalls, naming the instance as the straggler is right too
      return {
        faulty,
        fixed,
        service: site.service.name,
        mechanism: "event-loop-blocked",
        acceptableMechanisms: ["garbage-collection", "straggler"],
        operation: site.operation,
      };
    },
  },
  {
    name: "error-handling",
    summary: "a partner fails fast on a share of calls, and the service's fallback is slow",
    baseline: false,
    shapes: ALL,
    inject: (system, { severity, extraMs }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "external"));
      const rescued = sameSite(fixed, site);
      for (const place of [site, rescued]) {
        place.step.failure = 0.03 + 0.12 * severity;
        const fallback = place === site ? [compute(2 * extraMs, 0.4)] : [compute(0.5)];
        place.list[place.index] = step({ kind: "rescue", steps: [place.step], otherwise: fallback });
      }
      sameMachines(faulty, [fixed]);
      return { faulty, fixed, service: site.service.name, mechanism: "error-handling", operation: site.operation };
    },
  },
];
