import { cached, call, compute, db, external, publish, together } from "../steps.ts";
import { BACKENDS, DATABASES, GATEWAYS, PARTNERS, RESOURCES } from "./names.ts";
import { cache, database, newSystem, service, settle, type Shape, withPools } from "./parts.ts";

/** An API that answers at once and leaves the rest to a worker behind a queue. */
export const worker: Shape = {
  name: "worker",
  build: (draws) => {
    const system = newSystem("worker", draws);
    const ms = (low: number, high: number): number => draws.between(low, high);
    const [thing, other] = draws.shuffled(RESOURCES) as [string, string];
    const gateway = draws.pick(GATEWAYS);
    const [api, checker] = draws.shuffled(BACKENDS) as [string, string];
    const [store, archive] = draws.shuffled(DATABASES) as [string, string];
    const queue = `${thing}-created`;
    const pooled = draws.chance(0.5);
    system.databases = [database(draws, store), database(draws, archive), cache("redis-main")];
    system.queues = [
      {
        name: queue,
        system: draws.pick(["kafka", "rabbitmq"] as const),
        consumer: `${thing}-worker`,
        consumersPerInstance: 8,
      },
    ];
    system.services = [
      service(draws, gateway, {
        [`POST /${thing}`]: [compute(ms(0.5, 2)), call(api, `POST /${thing}`)],
        [`GET /${other}/{id}`]: [compute(ms(0.5, 2)), call(api, `GET /${other}/{id}`)],
      }),
      withPools(
        service(draws, api, {
          [`POST /${thing}`]: [
            cached("redis-main", "limits", 0.92, [
              db(store, "SELECT quota, used FROM limits WHERE tenant_id = $1", ms(1, 3)),
            ]),
            compute(ms(1, 4)),
            together(
              [call(checker, "POST /check")],
              [db(store, "SELECT id, address FROM customers WHERE id = $1", ms(2, 5))],
              [external(draws.pick(PARTNERS), "GET", "/v1/rates", ms(4, 9))],
            ),
            db(store, `INSERT INTO ${thing} (customer_id, body) VALUES ($1, $2)`, ms(2, 6)),
            publish(queue),
          ],
          [`GET /${other}/{id}`]: [
            compute(ms(1, 3)),
            db(store, `SELECT id, body FROM ${other} WHERE id = $1`, ms(2, 6)),
          ],
        }),
        [store],
        pooled,
      ),
      withPools(
        service(draws, checker, {
          "POST /check": [compute(ms(1.5, 5)), db(store, "SELECT rule FROM rules WHERE kind = $1", ms(1, 3))],
        }),
        [store],
        pooled,
      ),
      withPools(
        service(draws, `${thing}-worker`, {
          [`process ${queue}`]: [
            compute(ms(2, 6)),
            db(archive, "INSERT INTO audit (entity_id, body) VALUES ($1, $2)", ms(3, 8)),
            external("hooks.notify.example", "POST", "/v1/send", ms(10, 20)),
          ],
        }),
        [archive],
        pooled,
      ),
    ];
    system.endpoints = [
      { service: gateway, operation: `POST /${thing}`, share: 0.6 },
      { service: gateway, operation: `GET /${other}/{id}`, share: 0.4 },
    ];
    return settle(system, draws);
  },
};
