import Type, { type Static } from "typebox";
import { UnixNsText } from "./common.ts";

/** What came in of one signal since the start; received = stored + waiting + rejected + dropped, at every moment. */
export const SignalLedger = Type.Object({
  received: Type.Integer(),
  stored: Type.Integer(),
  waiting: Type.Integer({ description: "acknowledged, in the write-ahead log, on the way to the store" }),
  rejected: Type.Record(Type.String(), Type.Integer(), { description: "by reason" }),
  dropped: Type.Record(Type.String(), Type.Integer(), { description: "by reason" }),
  perSecond: Type.Number({ description: "received, over the last 10 seconds" }),
});
export type SignalLedger = Static<typeof SignalLedger>;

export const Status = Type.Object(
  {
    schema: Type.Literal("longpole.status/1"),
    version: Type.String(),
    startedUnixNs: UnixNsText,
    nowUnixNs: UnixNsText,
    ready: Type.Boolean(),
    listening: Type.Object({
      api: Type.String(),
      otlpGrpc: Type.Optional(Type.String()),
      otlpHttp: Type.Optional(Type.String()),
    }),
    ingest: Type.Record(Type.String(), SignalLedger, { description: "by signal" }),
    store: Type.Object({
      kind: Type.Union([Type.Literal("embedded"), Type.Literal("clickhouse")]),
      state: Type.String({ description: "ready, or why not" }),
      engineVersion: Type.Optional(Type.String()),
      tables: Type.Array(Type.Object({ table: Type.String(), rows: Type.Number(), bytesOnDisk: Type.Number() })),
      oldestSpanUnixNs: Type.Optional(UnixNsText),
      newestSpanUnixNs: Type.Optional(UnixNsText),
      diskFreeBytes: Type.Optional(Type.Number()),
      memoryBytes: Type.Optional(Type.Number()),
    }),
    analysis: Type.Object({
      waiting: Type.Integer({ description: "analyses that run or wait" }),
      now: Type.Optional(Type.Object({ stage: Type.String(), done: Type.Number(), total: Type.Number() })),
    }),
    memoryBytes: Type.Number({ description: "resident, of the server without the engine" }),
  },
  { $id: "Status" },
);
export type Status = Static<typeof Status>;
