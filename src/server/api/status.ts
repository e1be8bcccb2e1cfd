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
  lagMs: Type.Optional(
    Type.Integer({
      description: "from the newest time in what came since the start to now; absent before anything came",
    }),
  ),
});
export type SignalLedger = Static<typeof SignalLedger>;

const SenderSignal = Type.Object({
  ageMs: Type.Integer({ description: "since data of it came last" }),
  lagMs: Type.Integer({
    description:
      "how far the newest time in its data lay behind the server's clock when it came; below 0 where it was ahead",
  }),
});

export const Sender = Type.Object({
  service: Type.String(),
  host: Type.Optional(Type.String()),
  sdk: Type.Optional(Type.String({ description: "name and language of the SDK or collector" })),
  signals: Type.Object({
    traces: Type.Optional(SenderSignal),
    metrics: Type.Optional(SenderSignal),
    profiles: Type.Optional(SenderSignal),
  }),
});

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
    senders: Type.Array(Sender, { description: "who sent what since the start, heard of last first; 200 at most" }),
    sendersLeftOut: Type.Integer({ description: "more than are told" }),
    store: Type.Object({
      kind: Type.Union([Type.Literal("embedded"), Type.Literal("clickhouse")]),
      state: Type.String({ description: "ready, or why not" }),
      awaySinceUnixNs: Type.Optional(UnixNsText),
      asOfUnixNs: Type.Optional({
        ...UnixNsText,
        description: "when the figures below were taken; those of before stay while the store does not answer",
      }),
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
