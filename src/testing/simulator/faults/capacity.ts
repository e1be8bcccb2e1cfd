import { mean } from "../distribution.ts";
import { consumerName } from "../conventions.ts";
import { compute, step } from "../steps.ts";
import type { SystemSpec } from "../system.ts";
import { cloneSystem, offeredWork, provision, serviceOf } from "../system-walk.ts";
import type { Draws } from "../random.ts";
import { chain } from "../systems/chain.ts";
import { shop } from "../systems/shop.ts";
import { threeTier } from "../systems/three-tier.ts";
import { worker } from "../systems/worker.ts";
import { type Fault, loadUntilBusy, places, sameMachines, variants } from "./fault.ts";

const ALL = [threeTier, shop, worker, chain] as const;

/** Faults of load and capacity. */
export const CAPACITY_FAULTS: readonly Fault[] = [
  {
    name: "load-increase",
    summary: "more requests than before bring a service to its limit",
    baseline: true,
    shapes: ALL,
    inject: (system, { severity }, draws) => {
      const before = cloneSystem(system);
      const { name, operation, faulty, fixed } = saturated(system, 0.9 + 0.07 * severity, draws);
      faulty.services.forEach((service, i) => Object.assign(before.services[i]!, service));
      faulty.databases.forEach((database, i) => Object.assign(before.databases[i]!, database));
      before.ratePerSecond = faulty.ratePerSecond * draws.between(0.4, 0.6);
      const whatIf = [`service=${name},replicas=${serviceOf(fixed, name).instances}`];
      // more load and a processor at its limit are the two halves of one sentence
      return {
        faulty,
        fixed,
        before,
        service: name,
        mechanism: "load-increase",
        acceptableMechanisms: ["cpu-saturated"],
        operation,
        whatIf,
      };
    },
  },
  {
    name: "cpu-saturated",
    summary: "a service has too few cores for its load",
    baseline: false,
    shapes: ALL,
    inject: (system, { severity }, draws) => {
      const { name, operation, faulty, fixed } = saturated(system, 0.9 + 0.07 * severity, draws);
      const whatIf = [`service=${name},replicas=${serviceOf(fixed, name).instances}`];
      // own time that grows with the requests in flight: cores, run queue, threads and one loop look alike from spans
      return {
        faulty,
        fixed,
        service: name,
        mechanism: "cpu-saturated",
        acceptableMechanisms: ["run-queue", "thread-starvation", "event-loop-blocked"],
        operation,
        whatIf,
      };
    },
  },
  {
    name: "thread-starvation",
    summary: "a service has too few worker threads: requests wait before its SERVER span",
    baseline: false,
    shapes: ALL,
    inject: (system, { severity }, draws) => {
      const base = cloneSystem(system);
      const site = draws.pick(places(base, "call"));
      const service = serviceOf(base, site.step.service);
      service.cpu = "threads";
      const workers = draws.whole(2, 5);
      loadUntilBusy(base, `workers:${service.name}`, (0.87 + 0.1 * severity) * workers * service.instances, 77);
      const { faulty, fixed } = variants(base);
      serviceOf(faulty, service.name).workers = workers;
      serviceOf(fixed, service.name).workers = workers;
      serviceOf(fixed, service.name).instances *= 2;
      const whatIf = [`service=${service.name},replicas=${2 * service.instances}`];
      // the wait is in front of the SERVER span: an accept queue or a thread pool, spans don't say which
      return {
        faulty,
        fixed,
        service: service.name,
        mechanism: "thread-starvation",
        acceptableMechanisms: ["accept-queue"],
        operation: site.step.operation,
        whatIf,
      };
    },
  },
  {
    name: "straggler",
    summary: "one instance has a slow processor",
    baseline: false,
    shapes: ALL,
    inject: (system, { extraMs }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "compute"));
      const service = serviceOf(faulty, site.service.name);
      for (const variant of [faulty, fixed]) serviceOf(variant, service.name).cpu = "threads";
      sameMachines(faulty, [fixed]);
      const slow = draws.whole(0, service.instances - 1);
      const factor = 1 + (1.5 * extraMs) / mean(site.step.time);
      service.speeds = Array.from({ length: service.instances }, (_, i) => (i === slow ? 1 / factor : 1));
      // the slow instance has the cores that it needs to keep up: it is slow, not overloaded
      service.cores = Math.ceil(service.cores * factor);
      serviceOf(fixed, service.name).cores = service.cores;
      return { faulty, fixed, service: service.name, mechanism: "straggler", operation: site.operation };
    },
  },
  {
    name: "queue-backlog",
    summary: "too few consumers: messages wait",
    baseline: false,
    shapes: [worker],
    inject: (system, { severity }, draws) => {
      const base = cloneSystem(system);
      const queue = base.queues[0]!;
      const consumer = serviceOf(base, queue.consumer);
      consumer.cpu = "threads";
      queue.consumersPerInstance = 0;
      const slots = draws.whole(1, 2);
      loadUntilBusy(base, `consumers:${queue.name}`, (0.93 + 0.07 * severity) * slots * consumer.instances, 77);
      const { faulty, fixed } = variants(base);
      faulty.queues[0]!.consumersPerInstance = slots;
      fixed.queues[0]!.consumersPerInstance = 3 * slots;
      return {
        faulty,
        fixed,
        service: consumer.name,
        mechanism: "queue-backlog",
        operation: consumerName(base, queue.name),
        measure: "flow",
      };
    },
  },
  {
    name: "mix-shift",
    summary: "an expensive kind of request has become frequent",
    baseline: true,
    shapes: ALL,
    inject: (system, { severity, extraMs }, draws) => {
      const { faulty, fixed } = variants(system);
      const site = draws.pick(places(faulty, "compute"));
      const [rare, frequent] = [0.03, 0.25 + 0.3 * severity];
      for (const variant of [faulty, fixed]) {
        const share = variant === faulty ? frequent : rare;
        variant.requestAttributes.push({
          key: "app.view",
          values: [
            { value: "summary", weight: 1 - share },
            { value: "full", weight: share },
          ],
          everywhere: true,
        });
        const place = places(variant, "compute").find((other) => other.step.id === site.step.id)!;
        place.list.splice(
          place.index + 1,
          0,
          step({ kind: "when", key: "app.view", value: "full", steps: [compute(1.5 * extraMs, 0.4)] }),
        );
      }
      sameMachines(faulty, [fixed]);
      // what changed is what users ask of the endpoint; where it costs is the service that does the work
      return {
        faulty,
        fixed,
        service: faulty.endpoints[0]!.service,
        acceptableServices: [site.service.name],
        mechanism: "mix-shift",
        operation: faulty.endpoints[0]!.operation,
      };
    },
  },
];

/** The load at which one service's processors are busy to `rho` while all others have room; the fix doubles its instances. */
function saturated(
  system: SystemSpec,
  rho: number,
  draws: Draws,
): { name: string; operation: string; faulty: SystemSpec; fixed: SystemSpec } {
  const { faulty, fixed } = variants(system);
  const entry = faulty.endpoints[0]!.service;
  const site = draws.pick(
    places(faulty, "compute", ({ service, step: { time } }) => service.name !== entry && mean(time) > 1),
  );
  const { name } = site.service;
  const limited = serviceOf(faulty, name);
  // few processors of full tasks: waits are long there
  limited.cores = 1;
  limited.instances = 2;
  site.step.time = { kind: "scaled", factor: 2.5, add: 0, of: site.step.time };
  faulty.ratePerSecond *= (rho * 1000 * limited.instances) / offeredWork(faulty).get(name)!;
  provision(faulty, 0.5);
  limited.instances = 2;
  limited.cores = 1;
  for (const key of ["services", "databases", "ratePerSecond"] as const)
    Object.assign(fixed, { [key]: cloneSystem(faulty)[key] });
  serviceOf(fixed, name).instances = 4;
  return { name, operation: site.operation, faulty, fixed };
}
