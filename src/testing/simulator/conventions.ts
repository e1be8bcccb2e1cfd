import type { SystemSpec } from "./system.ts";
import { databaseOf, queueOf } from "./system-walk.ts";
import type { AttributeTemplate, SpanWriter } from "./span-writer.ts";

/** What the spans of one call site have in common, and the keys of what varies. */
export interface SpanShape {
  readonly name: number;
  readonly template: AttributeTemplate;
  /** key of the response's status code, 0 where the protocol has none */
  readonly statusKey: number;
  /** of HTTP: key and pattern of the URL or path, whose `{id}` is filled in per request */
  readonly urlKey: number;
  readonly urlPattern: string;
  readonly grpc: boolean;
}

/**
 * Names and attributes as stock OpenTelemetry instrumentations give them, under
 * the stable semantic conventions of HTTP and databases ("new") or those before
 * them ("old").
 */
export class Conventions {
  readonly bodySize: number;
  readonly returnedRows: number;
  readonly errorType: number;
  readonly timeoutText: number;
  private readonly system: SystemSpec;
  private readonly writer: SpanWriter;
  private readonly isNew: boolean;
  private readonly shapes = new Map<string, SpanShape>();

  constructor(system: SystemSpec, writer: SpanWriter) {
    this.system = system;
    this.writer = writer;
    this.isNew = system.telemetry.conventions === "new";
    this.bodySize = writer.text(this.isNew ? "http.response.body.size" : "http.response_content_length");
    this.returnedRows = writer.text("db.response.returned_rows");
    this.errorType = writer.text("error.type");
    this.timeoutText = writer.text("timeout");
  }

  server(service: string, operation: string): SpanShape {
    return this.shape(`server ${service} ${operation}`, () => {
      if (isGrpc(operation)) return this.grpc(operation, service);
      const { method, path } = httpParts(operation);
      const attributes = this.isNew
        ? { "http.request.method": method, "url.scheme": "http", "http.route": path, "server.address": service }
        : { "http.method": method, "http.scheme": "http", "http.route": path, "net.host.name": service };
      return this.http(operation, attributes, this.isNew ? "url.path" : "http.target", path);
    });
  }

  client(service: string, operation: string): SpanShape {
    return this.shape(`client ${service} ${operation}`, () => {
      if (isGrpc(operation)) return this.grpc(operation, service);
      const { method, path } = httpParts(operation);
      const byRoute = this.system.telemetry.clientNames === "route";
      const attributes = this.isNew
        ? {
            "http.request.method": method,
            "server.address": service,
            "server.port": 8080,
            ...(byRoute && { "url.template": path }),
          }
        : { "http.method": method, "net.peer.name": service, "net.peer.port": 8080 };
      const name = byRoute ? operation : this.isNew ? method : `HTTP ${method}`;
      return this.http(name, attributes, this.isNew ? "url.full" : "http.url", `http://${service}:8080${path}`);
    });
  }

  external(address: string, method: string, path: string): SpanShape {
    return this.shape(`external ${address} ${method} ${path}`, () => {
      const attributes = this.isNew
        ? { "http.request.method": method, "server.address": address, "server.port": 443 }
        : { "http.method": method, "net.peer.name": address, "net.peer.port": 443 };
      const name = externalName(this.system, method, path);
      return this.http(name, attributes, this.isNew ? "url.full" : "http.url", `https://${address}${path}`);
    });
  }

  statement(database: string, statement: string): SpanShape {
    return this.shape(`db ${database} ${statement}`, () => {
      const { operation, table } = statementParts(statement);
      const attributes: Record<string, string | number> = {
        ...this.connection(database),
        ...(this.isNew
          ? { "db.operation.name": operation, "db.collection.name": table }
          : { "db.operation": operation, "db.sql.table": table }),
      };
      if (!this.system.telemetry.literals) attributes[this.statementKey] = statement;
      return this.plain(statementName(this.system, database, statement), attributes);
    });
  }

  /** The statement goes into the span itself when its literals vary. */
  get statementKey(): string {
    return this.isNew ? "db.query.text" : "db.statement";
  }

  cacheGet(cache: string, key: string): SpanShape {
    return this.shape(`cache ${cache} ${key}`, () =>
      this.plain("GET", {
        ...this.connection(cache),
        ...(this.isNew ? { "db.operation.name": "GET" } : { "db.operation": "GET" }),
        [this.statementKey]: `GET ${key}:?`,
      }),
    );
  }

  poolConnect(database: string): SpanShape {
    return this.shape(`pool ${database}`, () => this.plain("pg-pool.connect", this.connection(database)));
  }

  internal(name: string): SpanShape {
    return this.shape(`internal ${name}`, () => this.plain(name, {}));
  }

  producer(queue: string): SpanShape {
    return this.shape(`producer ${queue}`, () =>
      this.plain(this.isNew ? `send ${queue}` : `${queue} publish`, this.messaging(queue, "send")),
    );
  }

  consumer(queue: string): SpanShape {
    return this.shape(`consumer ${queue}`, () =>
      this.plain(consumerName(this.system, queue), this.messaging(queue, "process")),
    );
  }

  private messaging(queue: string, type: "send" | "process"): Record<string, string> {
    const system = queueOf(this.system, queue).system;
    return this.isNew
      ? {
          "messaging.system": system,
          "messaging.destination.name": queue,
          "messaging.operation.type": type,
          "messaging.operation.name": type,
        }
      : {
          "messaging.system": system,
          "messaging.destination": queue,
          "messaging.operation": type === "send" ? "publish" : "process",
        };
  }

  /** A cache has no `db.namespace`: its name is the host's. */
  private connection(database: string): Record<string, string | number> {
    const { system } = databaseOf(this.system, database);
    const port = { postgresql: 5432, mysql: 3306, redis: 6379 }[system];
    if (system === "redis") {
      return this.isNew
        ? { "db.system.name": system, "server.address": database, "server.port": port }
        : { "db.system": system, "net.peer.name": database, "net.peer.port": port };
    }
    return this.isNew
      ? { "db.system.name": system, "db.namespace": database, "server.address": `${database}-db`, "server.port": port }
      : { "db.system": system, "db.name": database, "net.peer.name": `${database}-db`, "net.peer.port": port };
  }

  private grpc(operation: string, address: string): SpanShape {
    const [rpcService, method] = operation.split("/") as [string, string];
    const template = this.writer.template({
      "rpc.system": "grpc",
      "rpc.service": rpcService,
      "rpc.method": method,
      [this.isNew ? "server.address" : "net.peer.name"]: address,
    });
    const statusKey = this.writer.text("rpc.grpc.status_code");
    return { name: this.writer.text(operation), template, statusKey, urlKey: 0, urlPattern: "", grpc: true };
  }

  private http(
    name: string,
    attributes: Record<string, string | number>,
    urlKey: string,
    urlPattern: string,
  ): SpanShape {
    return {
      name: this.writer.text(name),
      template: this.writer.template(attributes),
      statusKey: this.writer.text(this.isNew ? "http.response.status_code" : "http.status_code"),
      urlKey: this.writer.text(urlKey),
      urlPattern,
      grpc: false,
    };
  }

  private plain(name: string, attributes: Record<string, string | number>): SpanShape {
    return {
      name: this.writer.text(name),
      template: this.writer.template(attributes),
      statusKey: 0,
      urlKey: 0,
      urlPattern: "",
      grpc: false,
    };
  }

  private shape(key: string, make: () => SpanShape): SpanShape {
    let shape = this.shapes.get(key);
    if (shape === undefined) this.shapes.set(key, (shape = make()));
    return shape;
  }
}

const isGrpc = (operation: string): boolean => !/^[A-Z]+ /.test(operation);

function httpParts(operation: string): { method: string; path: string } {
  const [method, path] = operation.split(" ") as [string, string];
  return { method, path };
}

/** Verb and first table of a statement. */
function statementParts(statement: string): { operation: string; table: string } {
  const table = /\b(?:FROM|INTO|UPDATE)\s+([a-z_]+)/.exec(statement)?.[1] ?? "";
  return { operation: statement.split(" ", 1)[0]!, table };
}

/** Names of client spans, as a `what-if` change has to give them. */
export function clientName(system: SystemSpec, operation: string): string {
  if (isGrpc(operation) || system.telemetry.clientNames === "route") return operation;
  const { method } = httpParts(operation);
  return system.telemetry.conventions === "new" ? method : `HTTP ${method}`;
}

export function statementName(system: SystemSpec, database: string, statement: string): string {
  const { operation, table } = statementParts(statement);
  return system.telemetry.conventions === "new" ? `${operation} ${table}` : `pg.query:${operation} ${database}`;
}

export function externalName(system: SystemSpec, method: string, path: string): string {
  return clientName(system, `${method} ${path}`);
}

export const consumerName = (system: SystemSpec, queue: string): string =>
  system.telemetry.conventions === "new" ? `process ${queue}` : `${queue} process`;
