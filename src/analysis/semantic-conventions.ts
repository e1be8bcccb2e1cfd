/**
 * Attribute keys of OpenTelemetry's semantic conventions that Longpole reads, one
 * row per meaning, newest name first. Where a span carries several, the leftmost
 * wins. The last names of some rows are those of Jaeger, Zipkin and OpenTracing.
 */
export const CONVENTIONS: Readonly<Record<Convention, readonly string[]>> = {
  dbSystem: ["db.system.name", "db.system", "db.type"],
  dbNamespace: ["db.namespace", "db.name", "db.instance", "db.cassandra.keyspace"],
  dbStatement: ["db.query.text", "db.statement"],
  dbOperation: ["db.operation.name", "db.operation"],
  dbCollection: ["db.collection.name", "db.sql.table", "db.mongodb.collection", "db.cassandra.table"],
  returnedRows: ["db.response.returned_rows", "db.row_count", "db.rows_affected"],
  serverAddress: [
    "server.address",
    "net.peer.name",
    "peer.hostname",
    "net.sock.peer.name",
    "network.peer.address",
    "net.peer.ip",
    "net.sock.peer.addr",
    "peer.ipv4",
  ],
  serverPort: ["server.port", "net.peer.port", "network.peer.port", "net.sock.peer.port", "peer.port"],
  peerService: ["service.peer.name", "peer.service"],
  httpMethod: ["http.request.method", "http.method"],
  httpRoute: ["http.route"],
  httpStatus: ["http.response.status_code", "http.status_code"],
  urlTemplate: ["url.template"],
  urlFull: ["url.full", "http.url"],
  urlPath: ["url.path", "http.target"],
  rpcSystem: ["rpc.system.name", "rpc.system"],
  rpcService: ["rpc.service"],
  rpcStatus: ["rpc.response.status_code", "rpc.grpc.status_code"],
  messagingSystem: ["messaging.system"],
  messagingDestination: ["messaging.destination.name", "messaging.destination", "message_bus.destination"],
  poolName: ["db.client.connection.pool.name", "db.client.connections.pool.name", "pool.name"],
  errorFlag: ["error.type", "error"],
  zipkinShared: ["zipkin.shared"],
};

/** Whether an attribute tells how a request ended rather than what was asked for. */
export const isOutcome = (key: string): boolean =>
  /^(?:error|exception|otel\.status)(?:$|[._])|(?:^|\.)(?:status|status_code|status_text|status_message)$/i.test(key);

/** Resource attributes, likewise. */
export const RESOURCE_CONVENTIONS: Readonly<Record<ResourceConvention, readonly string[]>> = {
  serviceName: ["service.name", "app.name"],
  serviceNamespace: ["service.namespace"],
  instance: ["service.instance.id", "k8s.pod.name", "container.id", "k8s.pod.uid"],
  host: ["host.name", "host.id", "k8s.node.name"],
  pid: ["process.pid"],
};

export type Convention =
  | "dbSystem"
  | "dbNamespace"
  | "dbStatement"
  | "dbOperation"
  | "dbCollection"
  | "returnedRows"
  | "serverAddress"
  | "serverPort"
  | "peerService"
  | "httpMethod"
  | "httpRoute"
  | "httpStatus"
  | "urlTemplate"
  | "urlFull"
  | "urlPath"
  | "rpcSystem"
  | "rpcService"
  | "rpcStatus"
  | "messagingSystem"
  | "messagingDestination"
  | "poolName"
  | "errorFlag"
  | "zipkinShared";
export type ResourceConvention = "serviceName" | "serviceNamespace" | "instance" | "host" | "pid";
