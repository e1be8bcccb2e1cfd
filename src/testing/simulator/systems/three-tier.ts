import { constant } from "../distribution.ts";
import { cached, compute, call, db, external, maybe, span, step, together } from "../steps.ts";
import { BACKENDS, DATABASES, GATEWAYS, PARTNERS, RESOURCES } from "./names.ts";
import { cache, database, newSystem, service, settle, type Shape, withPools } from "./parts.ts";

/** Gateway, application, database and a cache; one partner outside. */
export const threeTier: Shape = {
  name: "three-tier",
  build: (draws) => {
    const system = newSystem("three-tier", draws);
    const [thing, other] = draws.shuffled(RESOURCES) as [string, string];
    const gateway = draws.pick(GATEWAYS);
    const app = draws.pick(BACKENDS);
    const [store] = draws.shuffled(DATABASES) as [string];
    const pooled = draws.chance(0.5);
    const ms = (low: number, high: number): number => draws.between(low, high);
    system.databases = [database(draws, store), cache("redis-cache")];
    system.services = [
      service(draws, gateway, {
        [`GET /${thing}/{id}`]: [compute(ms(0.5, 2)), call(app, `GET /internal/${thing}/{id}`), compute(ms(0.3, 1))],
        [`POST /${thing}`]: [compute(ms(0.5, 2)), call(app, `POST /internal/${thing}`)],
        [`GET /${other}`]: [compute(ms(0.5, 2)), call(app, `GET /internal/${other}`)],
      }),
      withPools(
        service(draws, app, {
          [`GET /internal/${thing}/{id}`]: [
            cached("redis-cache", "session", 0.95, [
              db(store, "SELECT id, expires_at FROM sessions WHERE id = $1", ms(1, 3)),
            ]),
            compute(ms(1, 4)),
            db(store, `SELECT id, status, total FROM ${thing} WHERE id = $1`, ms(1.5, 5)),
            together(
              [db(store, `SELECT id, sku, quantity FROM ${thing}_items WHERE parent_id = $1`, ms(2, 6))],
              [db(store, "SELECT name, email FROM customers WHERE id = $1", ms(1, 4))],
              [external(draws.pick(PARTNERS), "GET", "/v2/status", ms(4, 9))],
            ),
            span("render", [compute(ms(1, 3))]),
          ],
          [`POST /internal/${thing}`]: [
            compute(ms(1, 4)),
            step({ kind: "fail", probability: 0.003, status: 500 }),
            db(store, `INSERT INTO ${thing} (customer_id, total) VALUES ($1, $2)`, ms(2, 6)),
            db(store, "UPDATE counters SET value = value + 1 WHERE name = $1", ms(1, 3)),
          ],
          [`GET /internal/${other}`]: [
            compute(ms(1, 3)),
            db(store, `SELECT id, title FROM ${other} ORDER BY id DESC LIMIT 20`, ms(3, 8)),
            maybe(0.3, [step({ kind: "loop", times: constant(2), width: 1, steps: [compute(0.5)] })]),
          ],
        }),
        [store],
        pooled,
      ),
    ];
    system.endpoints = [
      { service: gateway, operation: `GET /${thing}/{id}`, share: 0.6 },
      { service: gateway, operation: `POST /${thing}`, share: 0.15 },
      { service: gateway, operation: `GET /${other}`, share: 0.25 },
    ];
    return settle(system, draws);
  },
};
