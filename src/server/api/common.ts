import Type, { type Static } from "typebox";

/** Nanoseconds since 1970 as decimal text: they do not fit a JSON number. */
export const UnixNsText = Type.String({ pattern: "^\\d{1,19}$", description: "nanoseconds since 1970" });

/** A window of time: `last`, or `from` and `to`. Without any, the last 15 minutes. */
export const WindowFields = {
  last: Type.Optional(
    Type.String({
      pattern: "^\\d+(\\.\\d+)?(s|m|h|d)$",
      maxLength: 16,
      description: "the time up to now, as 90s, 15m, 12h or 7d; 15m if neither it nor from is given",
    }),
  ),
  from: Type.Optional(
    Type.String({ maxLength: 40, description: "start, as 2026-01-31T12:00:00Z or nanoseconds since 1970" }),
  ),
  to: Type.Optional(Type.String({ maxLength: 40, description: "end, written like from; now if absent" })),
};

export const Endpoint = Type.String({
  maxLength: 500,
  description: 'only endpoints with this in "SERVICE OPERATION", in any case',
});

export const Name = Type.String({ minLength: 1, maxLength: 2000 });

/** Every error, as RFC 9457 has it. */
export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: "what is wrong, and with what" }),
    field: Type.Optional(Type.String({ description: "the parameter or field that is meant" })),
  },
  { $id: "Problem" },
);
export type Problem = Static<typeof Problem>;

/** Queries refuse what they do not know: a slip in a parameter's name must not widen an answer. */
export const closed = { additionalProperties: false } as const;
