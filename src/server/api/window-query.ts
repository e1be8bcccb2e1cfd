import Type, { type Static } from "typebox";
import { closed, Endpoint, WindowFields } from "./common.ts";

export const WindowQuery = Type.Object(WindowFields, closed);
export type WindowQuery = Static<typeof WindowQuery>;

const ReportFields = {
  ...WindowFields,
  endpoint: Type.Optional(Endpoint),
  baseline: Type.Optional(
    Type.String({
      maxLength: 90,
      description:
        "auto (by default): the time before the endpoints' last rise; none; a duration as 1h: the same window so much earlier; FROM/TO",
    }),
  ),
  objective: Type.Optional(
    Type.Array(Type.String({ maxLength: 500 }), {
      maxItems: 50,
      description: '"[SERVICE] OPERATION p99 < 300ms", instead of those of the configuration',
    }),
  ),
};

export const ReportQuery = Type.Object(ReportFields, closed);
export type ReportQuery = Static<typeof ReportQuery>;

export const PageEventsQuery = Type.Object(
  {
    ...ReportFields,
    held: Type.Optional(
      Type.Boolean({
        description:
          "true: the last answer to the same question comes first, at once, with the time at which it was made",
      }),
    ),
  },
  closed,
);
export type PageEventsQuery = Static<typeof PageEventsQuery>;

export const ExportQuery = Type.Object(
  {
    ...WindowFields,
    format: Type.Optional(
      Type.Union([Type.Literal("otlp-json"), Type.Literal("pprof")], {
        description: "otlp-json: a request on each line, traces and metrics; pprof: the profile of a service",
      }),
    ),
    service: Type.Optional(Type.String({ minLength: 1, maxLength: 500, description: "whose profile; for pprof" })),
  },
  closed,
);
export type ExportQuery = Static<typeof ExportQuery>;
