import Type, { type Static } from "typebox";
import { UnixNsText } from "./common.ts";

/** Something that can be looked at on a host, and by what it is. */
export const HostCollector = Type.Object({
  name: Type.String(),
  rung: Type.String({
    description: "helper, bpftrace, perf, procfs, none, or shed: given up to stay within the budget",
  }),
  why: Type.String({ description: "why it stands on no higher rung; empty on the highest" }),
  mend: Type.String({ description: "the command that lifts it; empty where there is none or none is needed" }),
});

export const Host = Type.Object({
  host: Type.String({ description: "host.name" }),
  hostId: Type.Optional(Type.String()),
  os: Type.Optional(Type.String()),
  agentVersion: Type.Optional(Type.String()),
  processors: Type.Optional(Type.Integer()),
  memoryBytes: Type.Optional(Type.Number()),
  firstSeenUnixNs: UnixNsText,
  lastSeenUnixNs: UnixNsText,
  state: Type.Union([Type.Literal("reporting"), Type.Literal("silent")], {
    description: "silent: nothing for three of its intervals",
  }),
  collectors: Type.Array(HostCollector),
  services: Type.Array(
    Type.Object({
      service: Type.String(),
      origin: Type.String({ description: "by what the agent knows the name" }),
      processes: Type.Integer(),
    }),
  ),
  processes: Type.Optional(
    Type.Object(
      { seen: Type.Integer(), mapped: Type.Integer(), unreadable: Type.Integer() },
      { description: "unreadable: of which rights hide a part" },
    ),
  ),
  agent: Type.Optional(
    Type.Object({
      cpuShare: Type.Optional(Type.Number({ description: "of one core" })),
      memoryBytes: Type.Optional(Type.Number()),
      budgetCpuShare: Type.Optional(Type.Number()),
      budgetMemoryBytes: Type.Optional(Type.Number()),
      queueBytes: Type.Optional(Type.Number({ description: "requests that wait on its disk" })),
      dropped: Type.Optional(Type.Integer({ description: "requests that were lost since its start" })),
      shed: Type.Array(Type.String(), { description: "collectors that it gave up to stay within its budget" }),
    }),
  ),
});

export const Hosts = Type.Object(
  { schema: Type.Literal("longpole.hosts/1"), hosts: Type.Array(Host) },
  { $id: "Hosts" },
);
export type Hosts = Static<typeof Hosts>;
