import Type, { type Static } from "typebox";
import { closed, Name, UnixNsText, WindowFields } from "./common.ts";

export const Services = Type.Object({ services: Type.Array(Type.String()) });

export const OperationsQuery = Type.Object({ ...WindowFields, service: Name }, closed);
export type OperationsQuery = Static<typeof OperationsQuery>;
export const Operations = Type.Object({
  operations: Type.Array(Type.Object({ operation: Type.String(), kind: Type.String(), count: Type.Number() })),
});

export const RedQuery = Type.Object(
  {
    ...WindowFields,
    step: Type.Optional(
      Type.String({
        pattern: "^[1-9]\\d{0,5}(m|h|d)$",
        description: "length of a step, whole minutes; all in one if absent",
      }),
    ),
    service: Type.Optional(Name),
    operation: Type.Optional(Name),
    roots: Type.Optional(Type.Boolean({ description: "only what a trace begins with" })),
  },
  closed,
);
export type RedQuery = Static<typeof RedQuery>;
export const Red = Type.Object({
  rows: Type.Array(
    Type.Object({
      startUnixNs: UnixNsText,
      service: Type.String(),
      operation: Type.String(),
      kind: Type.String(),
      count: Type.Number(),
      errors: Type.Number(),
      meanMs: Type.Number(),
      p50Ms: Type.Union([Type.Number(), Type.Null()]),
      p95Ms: Type.Union([Type.Number(), Type.Null()]),
      p99Ms: Type.Union([Type.Number(), Type.Null()]),
    }),
  ),
});
export type Red = Static<typeof Red>;

export const Edges = Type.Object({
  traceShare: Type.Number({ description: "share of the spans that was looked at; counts are estimates of all" }),
  edges: Type.Array(
    Type.Object({
      caller: Type.String(),
      callee: Type.String(),
      operation: Type.String(),
      count: Type.Number(),
      errors: Type.Number(),
      meanMs: Type.Number(),
    }),
  ),
});

export const SearchQuery = Type.Object(
  {
    ...WindowFields,
    q: Type.Optional(
      Type.String({
        maxLength: 4000,
        description:
          'instead of the others but order and limit: { resource.service.name = "shop" && duration > 100ms } >> { status = error }, a subset of TraceQL (docs/trace-search.md)',
      }),
    ),
    service: Type.Optional(Name),
    operation: Type.Optional(Name),
    minDuration: Type.Optional(Type.String({ pattern: "^\\d+(\\.\\d+)?(ms|s|m)$" })),
    maxDuration: Type.Optional(Type.String({ pattern: "^\\d+(\\.\\d+)?(ms|s|m)$" })),
    errors: Type.Optional(Type.Boolean({ description: "only traces with an error in what was searched for" })),
    attribute: Type.Optional(
      Type.Array(Type.String({ pattern: "^[^=]+=", maxLength: 2000 }), {
        maxItems: 20,
        description: "KEY=VALUE, all on one span",
      }),
    ),
    order: Type.Optional(Type.Union([Type.Literal("newest"), Type.Literal("slowest")])),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  },
  closed,
);
export type SearchQuery = Static<typeof SearchQuery>;
export const FoundTraces = Type.Object({
  traces: Type.Array(
    Type.Object({
      traceId: Type.String(),
      rootService: Type.String(),
      rootOperation: Type.String(),
      startUnixNs: UnixNsText,
      durationMs: Type.Number(),
      spans: Type.Number(),
      errors: Type.Number(),
      services: Type.Array(Type.String()),
      matchDurationMs: Type.Number({ description: "of the longest span that is as asked for" }),
    }),
  ),
  lookedAt: Type.Optional(
    Type.Integer({ description: "traces of which it was looked who lies below whom, where q has > or >>" }),
  ),
  more: Type.Boolean({ description: "there may be others: a higher limit or a shorter window would tell" }),
});
export type FoundTraces = Static<typeof FoundTraces>;

export const TraceId = Type.Object(
  { id: Type.String({ pattern: "^[0-9a-fA-F]{1,32}$", description: "trace id in hex" }) },
  closed,
);
export type TraceId = Static<typeof TraceId>;

/** OTLP's own JSON, not described again here. */
export const OtlpTraces = Type.Object({ resourceSpans: Type.Array(Type.Unknown()) });
