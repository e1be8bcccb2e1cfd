import type { Step } from "../system.ts";
import { cached, call, compute, db, external, maybe, span, together } from "../steps.ts";
import { BACKENDS, DATABASES, GATEWAYS, PARTNERS, RESOURCES } from "./names.ts";
import { cache, database, newSystem, service, settle, type Shape, withPools } from "./parts.ts";

/** Eight to twelve services behind one page that fans out to most of them. */
export const shop: Shape = {
  name: "shop",
  build: (draws) => {
    const system = newSystem("shop", draws);
    const ms = (low: number, high: number): number => draws.between(low, high);
    const gateway = draws.pick(GATEWAYS);
    const [aggregator, ...rest] = draws.shuffled(BACKENDS).slice(0, draws.whole(7, 10)) as [string, ...string[]];
    const stores = draws.shuffled(DATABASES).slice(0, 3);
    const [page, list] = draws.shuffled(RESOURCES) as [string, string];
    const pooled = draws.chance(0.5);
    const grpc = draws.chance(0.4);
    const operation = (name: string): string =>
      grpc ? `${page}.v1.${name[0]!.toUpperCase()}${name.slice(1)}/Get` : `GET /${name}/{id}`;
    system.databases = [...stores.map((name) => database(draws, name)), cache("redis-hot")];
    const leaf = (name: string, index: number): Step[] => {
      const store = stores[index % stores.length]!;
      const table = `${name}_items`;
      const read = db(store, `SELECT id, name, state FROM ${table} WHERE owner_id = $1`, ms(1.5, 6));
      return [
        compute(ms(1, 4)),
        index % 3 === 1 ? cached("redis-hot", name, 0.9, [read]) : read,
        ...(index % 3 === 2 ? [span(`rank ${name}`, [compute(ms(1, 3))])] : []),
      ];
    };
    const fanOut = rest.slice(0, Math.min(5, rest.length - 2));
    const deeper = rest.slice(fanOut.length);
    const backends = rest.map((name, index) => {
      const next = deeper[index];
      const steps = leaf(name, index);
      if (next !== undefined && fanOut.includes(name)) steps.push(call(next, operation(next)));
      return withPools(service(draws, name, { [operation(name)]: steps }), stores, pooled);
    });
    const gatewaySteps = [compute(ms(0.5, 2)), call(aggregator, operation(aggregator)), compute(ms(0.5, 2))];
    system.services = [
      service(draws, gateway, {
        [`GET /${page}/{id}`]: gatewaySteps,
        [`GET /${list}`]: [compute(ms(0.5, 2)), call(rest[0]!, operation(rest[0]!))],
        [`POST /${list}`]: [
          compute(ms(0.5, 2)),
          call(rest[1]!, operation(rest[1]!)),
          maybe(0.5, [external(draws.pick(PARTNERS), "POST", "/v1/charge", ms(8, 15))]),
        ],
      }),
      withPools(
        service(draws, aggregator, {
          [operation(aggregator)]: [
            compute(ms(1, 3)),
            db(stores[0]!, "SELECT id, locale, segment FROM visitors WHERE id = $1", ms(1, 3)),
            together(...fanOut.map((name) => [call(name, operation(name))]), [
              external(draws.pick(PARTNERS), "GET", "/v1/offers", ms(5, 10)),
            ]),
            compute(ms(1, 3)),
          ],
        }),
        stores,
        pooled,
      ),
      ...backends,
    ];
    system.endpoints = [
      { service: gateway, operation: `GET /${page}/{id}`, share: 0.55 },
      { service: gateway, operation: `GET /${list}`, share: 0.3 },
      { service: gateway, operation: `POST /${list}`, share: 0.15 },
    ];
    return settle(system, draws);
  },
};
