import Type, { type Static } from "typebox";
import { closed, Name, UnixNsText } from "./common.ts";

/** Kinds of changes that the server finds. Their ids begin with them, and an event of the same id is replaced: nobody else may use either. */
const OF_THE_SERVER: readonly string[] = ["change-point", "setting"];

/** Whether a kind, or what an id begins with, is one of the server's own. */
export const isOfTheServer = (text: string): boolean => OF_THE_SERVER.includes(text.split(" ", 1)[0]!);

/** What somebody tells that happened. */
export const NewChange = Type.Object(
  {
    kind: Type.String({
      pattern: "^[a-z][a-z-]{0,39}$",
      description: "deploy, config, migration, ...; not change-point and setting, which the server finds",
    }),
    title: Type.String({ minLength: 1, maxLength: 500 }),
    service: Type.Optional(Name),
    time: Type.Optional(
      Type.String({
        maxLength: 40,
        description: "as 2026-01-31T12:00:00Z or nanoseconds since 1970; now if absent",
      }),
    ),
    id: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: "told again under it, the change is replaced" }),
    ),
    details: Type.Optional(Type.Record(Type.String({ maxLength: 200 }), Type.Unknown())),
  },
  closed,
);
export type NewChange = Static<typeof NewChange>;

const Change = Type.Object({
  id: Type.String(),
  timeUnixNs: UnixNsText,
  kind: Type.String({ description: "change-point, setting: found by the server; others as they were told" }),
  service: Type.String({ description: "empty: of the whole system" }),
  title: Type.String(),
  details: Type.Unknown({ description: "a JSON object" }),
});

export const StoredChange = Type.Object({ id: Type.String() });
export const Changes = Type.Object({ changes: Type.Array(Change) });
export type Changes = Static<typeof Changes>;

export const LedgerHistory = Type.Object({
  entries: Type.Array(
    Type.Object({
      signal: Type.String(),
      outcome: Type.String({ description: "received, stored, rejected or dropped" }),
      reason: Type.String(),
      items: Type.Number({ description: "spans, points, samples or log records" }),
    }),
  ),
});
export type LedgerHistory = Static<typeof LedgerHistory>;
