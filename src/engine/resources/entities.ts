/** What a series is about. "" where it does not say. */
export interface Entity {
  readonly service: string;
  readonly instance: string;
  readonly host: string;
}

/** The two ends of a series about the calls from one service to another. */
export interface EdgeEnds {
  readonly client: string;
  readonly server: string;
}

/** Labels that name a service, most telling first; those of pods and containers stand before the names of scrape jobs. */
const SERVICE = [
  "service.name",
  "service_name",
  "k8s.deployment.name",
  "k8s.statefulset.name",
  "k8s.daemonset.name",
  "deployment",
  "app.kubernetes.io/name",
  "app_kubernetes_io_name",
  "app",
  "destination_workload",
  "k8s.pod.name",
  "k8s_pod_name",
  "pod",
  "pod_name",
  "k8s.container.name",
  "container.name",
  "container_name",
  "container",
  "service",
  "servicename",
  "job",
  "name",
];
const DATABASE = ["postgresql.database.name", "db.namespace", "datname", "database", "db.name"];
const INSTANCE = [
  "service.instance.id",
  "service_instance_id",
  "k8s.pod.name",
  "k8s_pod_name",
  "pod",
  "pod_name",
  "container.id",
  "process.pid",
  "instance",
];
const HOST = ["host.name", "host_name", "k8s.node.name", "k8s_node_name", "node", "nodename", "host", "hostname"];
const DATABASE_PROGRAM =
  /^(postgres|postmaster|mysqld|mariadbd|mongod|redis-server|valkey-server|memcached|sqlservr|clickhouse-server)$/i;
const ENDS: readonly (readonly [client: string, server: string])[] = [
  ["client", "server"],
  ["source_workload", "destination_workload"],
  ["source", "destination"],
  ["caller", "callee"],
];

/** `labels`: attributes of the resource and the series, by lower-case key. `ofDatabase`: the measure is one of a database. */
export function entityOf(labels: ReadonlyMap<string, string>, ofDatabase: boolean): Entity {
  const first = (keys: readonly string[]): [key: string, value: string] => {
    for (const key of keys) {
      const value = labels.get(key);
      if (value !== undefined && value !== "" && !value.startsWith("unknown_service")) return [key, value];
    }
    return ["", ""];
  };
  const [, database] = ofDatabase ? first(DATABASE) : ["", ""];
  const [key, named] = first(SERVICE);
  const instance = ofDatabase ? databaseServer(labels) : first(INSTANCE)[1];
  const [, host] = first(HOST);
  const isPod = /pod/.test(key);
  return {
    service: database !== "" ? database : isPod ? workloadOf(named) : named !== "" ? named : databaseProgram(labels),
    instance,
    host: host !== "" ? host : hostOfInstance(labels.get("instance") ?? ""),
  };
}

/** The server of a database, as its metrics tell it; keys of `labels` with "." or "_". "" where they do not say. */
export function databaseServer(labels: ReadonlyMap<string, string>): string {
  const of = (key: string): string => labels.get(key) ?? labels.get(key.replaceAll(".", "_")) ?? "";
  const first = (keys: readonly string[]): string => keys.map(of).find((value) => value !== "") ?? "";
  const [address, port] = [of("server.address"), of("server.port")];
  return first(INSTANCE) || (port === "" ? address : `${address}:${port}`) || first(HOST);
}

/** The program of the process that a series is about, without its folder; "" where the labels do not say. */
export function programOf(labels: ReadonlyMap<string, string>): string {
  const path = labels.get("process.executable.name") ?? labels.get("process_executable_name") ?? "";
  return path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1).replace(/\.exe$/i, "");
}

/** A process without a name of its service is one when it runs a database; of other programs a machine has hundreds. */
function databaseProgram(labels: ReadonlyMap<string, string>): string {
  const program = programOf(labels);
  return DATABASE_PROGRAM.test(program) ? program : "";
}

export function edgeEnds(labels: ReadonlyMap<string, string>): EdgeEnds | undefined {
  for (const [from, to] of ENDS) {
    const client = labels.get(from);
    const server = labels.get(to);
    if (client !== undefined && server !== undefined && client !== "" && server !== "") return { client, server };
  }
  return undefined;
}

/** `cart-5f6585d649-fnmft` (of a Deployment), `db-0` (StatefulSet) and `agent-x7k2p` (DaemonSet) without what Kubernetes adds. */
export function workloadOf(pod: string): string {
  return pod.replace(/-[a-f0-9]{6,10}-[a-z0-9]{5}$/, "").replace(/-(\d{1,3}|(?=[a-z]*\d)[a-z0-9]{5})$/, "");
}

const hostOfInstance = (instance: string): string => instance.replace(/:\d+$/, "");
