import type { ServiceName, SystemSettings } from "../settings.ts";

/** Where and as whom PostgreSQL is reached. */
export interface DatabaseAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** What a service is given when it starts; as for every process, as JSON in its environment under `CONFIG_VARIABLE`. */
export interface ServiceConfig<S extends ServiceName = ServiceName> {
  readonly service: S;
  readonly settings: SystemSettings[S];
  readonly database: DatabaseAddress;
  /** what it listens at; port 0 for any that is free */
  readonly host: string;
  readonly port: number;
  /** its files: journal, debug log, status document */
  readonly folder: string;
}

export interface CollectorConfig {
  readonly telemetryUrl: string;
  readonly observer: DatabaseAddress;
  /** first process of the server, where that runs here */
  readonly postmaster: number | undefined;
  /** whether it looks into the database as `longpole agent --postgres` does, and not only as the OpenTelemetry Collector */
  readonly looksWithin: boolean;
  readonly cgroup: { readonly service: ServiceName; readonly path: string } | undefined;
}

export interface KeeperConfig {
  /** absolute folders of the caller, which the keeper removes where the caller is gone */
  readonly removeAtEnd: readonly string[];
}

export interface NeighbourConfig {
  readonly nice: number;
}

export interface DiskNeighbourConfig {
  readonly file: string;
}

export interface RelayConfig {
  readonly listenAt: string;
  readonly target: { readonly host: string; readonly port: number };
}

export const CONFIG_VARIABLE = "LONGPOLE_LAB_CONFIG";

/** All processes of one system carry its number under this name, so that a test can look for what was left behind. */
export const SYSTEM_VARIABLE = "LONGPOLE_LAB_SYSTEM";

/** Base URLs of the instances of each service. */
export type Peers = Readonly<Partial<Record<ServiceName, readonly string[]>>>;

/** What the parent asks of a process; each is answered by a `Reply` with the same number. */
export type Request =
  | { readonly kind: "peers"; readonly peers: Peers }
  | { readonly kind: "flush" }
  | { readonly kind: "profile-start" }
  | { readonly kind: "profile-stop"; readonly file: string }
  | { readonly kind: "remember"; readonly leftover: Leftover }
  | { readonly kind: "remove"; readonly leftover: Leftover }
  | { readonly kind: "postgres-start"; readonly plan: PostgresPlan }
  | { readonly kind: "postgres-stop" };

/** A server to make or to start again; where `folder` has no database yet, one is made. */
export interface PostgresPlan {
  readonly binaries: string;
  readonly folder: string;
  readonly logFile: string;
  readonly owner: string;
  readonly password: string;
  readonly port: number;
  /** `postgres -c name=value` */
  readonly options: Readonly<Record<string, string>>;
  /** system user that runs it; PostgreSQL refuses to run as root */
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
}

/** What has to be taken away after the system, also where its parent died. */
export type Leftover =
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "cgroup"; readonly path: string }
  | { readonly kind: "network"; readonly namespace: string; readonly link: string }
  | { readonly kind: "database"; readonly url: string; readonly name: string; readonly role: string | undefined };

export type Numbered = Request & { readonly number: number };

export type Reply =
  | { readonly kind: "listening"; readonly url: string }
  /** not asked for: something that it looks after has ended */
  | { readonly kind: "trouble"; readonly message: string }
  | { readonly kind: "done"; readonly number: number; readonly pid?: number }
  | { readonly kind: "failed"; readonly number: number; readonly message: string };
