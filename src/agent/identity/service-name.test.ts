import { describe, expect, test } from "vitest";
import { type ProcessFacts, resourceAttributes, serviceName } from "./service-name.ts";

function facts(command: string, more: Partial<ProcessFacts> = {}): ProcessFacts {
  const words = command.split(" ");
  return {
    environment: new Map(),
    words,
    comm: words[0]!.split("/").at(-1)!.slice(0, 15),
    program: words[0]!.startsWith("/") ? words[0]! : `/usr/bin/${words[0]!}`,
    folder: "/srv/shop",
    unit: "",
    ports: [],
    packageOf: () => "",
    ...more,
  };
}

const environment = (...pairs: readonly string[]): Partial<ProcessFacts> => ({
  environment: new Map(pairs.map((pair) => pair.split(/=(.*)/s, 2) as [string, string])),
});

const CASES: readonly (readonly [command: string, more: Partial<ProcessFacts>, name: string, origin: string])[] = [
  ["node server.js", environment("OTEL_SERVICE_NAME=orders"), "orders", "environment"],
  ["node server.js", environment("OTEL_RESOURCE_ATTRIBUTES=a=b,service.name=or%20ders"), "or ders", "environment"],
  [
    "node server.js",
    environment("OTEL_SERVICE_NAME=first", "OTEL_RESOURCE_ATTRIBUTES=service.name=second"),
    "first",
    "environment",
  ],
  // A shell that starts a service has its environment, and is not it.
  ["sh -c node", environment("OTEL_SERVICE_NAME=orders"), "sh", "program"],
  ["java -Dotel.service.name=billing -jar x.jar", {}, "billing", "command line"],
  ["java -jar x.jar", environment("JAVA_TOOL_OPTIONS=-Xmx1g -Dotel.service.name=billing"), "billing", "environment"],
  ["node gateway.js", {}, "gateway", "script"],
  ["node --import ./telemetry.mjs --max-old-space-size=200 /app/src/gateway.ts --port 80", {}, "gateway", "script"],
  [
    "node -r dotenv/config dist/index.js",
    { packageOf: (file) => (file === "/srv/shop/dist/index.js" ? "@acme/cart" : "") },
    "cart",
    "package.json",
  ],
  ["node dist/main.js", {}, "shop", "script"],
  ["node /usr/local/bin/npm start", {}, "npm", "program"],
  ["node -e setInterval", {}, "node", "program"],
  ["node -e setInterval", { ports: [8080, 9229] }, "node:8080", "port"],
  // A port that the system gave it says nothing.
  ["node -e setInterval", { ports: [41_234] }, "node", "program"],
  ["node gateway.js", { ports: [8080] }, "gateway", "script"],
  ["node -e setInterval", { ports: [8080], unit: "shop.service" }, "shop", "unit"],
  ["java", { ports: [9200, 9300] }, "elasticsearch", "port"],
  ["java", { ports: [9092, 9999] }, "kafka", "port"],
  ["java", { ports: [8080] }, "java:8080", "port"],
  ["beam.smp -W w", { ports: [4369, 5672, 15_672] }, "rabbitmq", "port"],
  // What stands on a product's port under its own name is not that product.
  ["/usr/bin/docker-proxy -container-port 5432", { ports: [5432] }, "docker-proxy", "program"],
  ["node -e setInterval", { ports: [9200] }, "node:9200", "port"],
  ["java -Xmx512m -jar /opt/orders-service-1.4.2-SNAPSHOT.jar --server.port=80", {}, "orders-service", "jar"],
  ["java -jar app.jar", {}, "app", "jar"],
  ["java -cp a.jar:b.jar com.acme.shop.OrderServer", {}, "OrderServer", "class"],
  ["java -p mods -m shop/com.acme.Main", {}, "Main", "class"],
  ["python3 -m shop.api", {}, "shop.api", "module"],
  ["python3.11 /srv/shop/billing.py", {}, "billing", "script"],
  ["python3 manage.py runserver", {}, "shop", "script"],
  ["python3 /usr/bin/gunicorn -w 4 shop.wsgi:application", {}, "shop", "module"],
  ["python3 -m uvicorn inventory:app --port 80", {}, "inventory", "module"],
  ["python3 /usr/bin/celery -A tasks worker", {}, "tasks", "module"],
  ["ruby bin/importer.rb", {}, "importer", "script"],
  ["dotnet /app/Cart.Api.dll", {}, "Cart.Api", "script"],
  ["/usr/lib/postgresql/15/bin/postgres -D /data", environment("OTEL_SERVICE_NAME=orders"), "postgres", "database"],
  ["redis-server *:6379", {}, "redis-server", "database"],
  ["/usr/sbin/nginx -g daemon", { unit: "nginx.service" }, "nginx", "unit"],
  ["/usr/bin/worker", { unit: "billing@3.service" }, "billing", "unit"],
  ["/usr/local/bin/checkout --listen :80", {}, "checkout", "program"],
];

describe("the name of a process's service", () => {
  test.each(CASES)("%s", (command, more, name, origin) => {
    expect(serviceName(facts(command, more))).toEqual({ name, origin });
  });

  test("of servers that write what they serve over their command line", () => {
    const titled = (title: string): unknown => serviceName(facts("python3", { words: [title] }));
    expect(titled("gunicorn: worker [shop.wsgi:app]")).toEqual({ name: "shop", origin: "module" });
    const puma = facts("ruby", { words: ["puma 6.4.0 (tcp://0.0.0.0:80) [storefront]"] });
    expect(serviceName(puma)).toEqual({ name: "storefront", origin: "script" });
  });

  test("of another user's process that is not to be read, by what everybody sees", () => {
    const hidden = facts("node /srv/shop/ingest.js", { environment: undefined, program: "", folder: "" });
    expect(serviceName(hidden)).toEqual({ name: "ingest", origin: "script" });
    // What PostgreSQL writes over its command line is no program.
    const backend = facts("postgres: shop shop [local] idle", {
      environment: undefined,
      program: "",
      comm: "postgres",
    });
    expect(serviceName(backend)).toEqual({ name: "postgres", origin: "database" });
  });
});

test("a program that stands in memory alone is called as it was started", () => {
  expect(serviceName(facts("/opt/runner --fast", { program: "/memfd:sealed-91 (deleted)" }))).toEqual({
    name: "runner",
    origin: "program",
  });
});

test("attributes of a resource: what is no pair is left out, what is no encoding stays as it is", () => {
  expect([...resourceAttributes("a=1, b = x%2Cy ,=z,nothing,c=100%")]).toEqual([
    ["a", "1"],
    ["b", "x,y"],
    ["c", "100%"],
  ]);
});
