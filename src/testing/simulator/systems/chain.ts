import type { Step } from "../system.ts";
import { cached, call, compute, db, external, together } from "../steps.ts";
import { BACKENDS, DATABASES, GATEWAYS, PARTNERS, RESOURCES } from "./names.ts";
import { cache, database, newSystem, service, settle, type Shape, withPools } from "./parts.ts";

/** Six to nine services, each of which calls the next. */
export const chain: Shape = {
  name: "chain",
  build: (draws) => {
    const system = newSystem("chain", draws);
    const ms = (low: number, high: number): number => draws.between(low, high);
    const gateway = draws.pick(GATEWAYS);
    const links = draws.shuffled(BACKENDS).slice(0, draws.whole(5, 8));
    const [thing, other] = draws.shuffled(RESOURCES) as [string, string];
    const [store, second] = draws.shuffled(DATABASES) as [string, string];
    const pooled = draws.chance(0.5);
    const operation = (name: string): string => `GET /${name}/v1/{id}`;
    system.databases = [database(draws, store), database(draws, second), cache("redis-edge")];
    const steps = (name: string, index: number): Step[] => {
      const next = links[index + 1];
      const from = index % 2 === 0 ? store : second;
      if (next === undefined) {
        return [
          compute(ms(1, 3)),
          together(
            [db(from, `SELECT id, payload FROM ${name}_entries WHERE ref = $1`, ms(2, 6))],
            [db(from, `SELECT count FROM ${name}_totals WHERE ref = $1`, ms(1, 4))],
            [external(draws.pick(PARTNERS), "GET", "/v3/lookup", ms(4, 8))],
          ),
        ];
      }
      const look = db(from, `SELECT id, state FROM ${name}_state WHERE id = $1`, ms(1.5, 4));
      const before = index % 3 === 0 ? [look] : index % 3 === 1 ? [cached("redis-edge", name, 0.9, [look])] : [];
      return [compute(ms(0.8, 3)), ...before, call(next, operation(next)), compute(ms(0.3, 1.5))];
    };
    system.services = [
      service(draws, gateway, {
        [`GET /${thing}/{id}`]: [compute(ms(0.5, 2)), call(links[0]!, operation(links[0]!))],
        [`GET /${other}/{id}`]: [compute(ms(0.5, 2)), call(links.at(-2)!, operation(links.at(-2)!))],
      }),
      ...links.map((name, index) =>
        withPools(service(draws, name, { [operation(name)]: steps(name, index) }), [store, second], pooled),
      ),
    ];
    system.endpoints = [
      { service: gateway, operation: `GET /${thing}/{id}`, share: 0.65 },
      { service: gateway, operation: `GET /${other}/{id}`, share: 0.35 },
    ];
    return settle(system, draws);
  },
};
