import Type, { type Static } from "typebox";
import { closed } from "./common.ts";

export const ProfileQuery = Type.Object(
  {
    service: Type.String({ minLength: 1, maxLength: 500, description: "whose profile it is: its service.name" }),
    start: Type.Optional(
      Type.String({
        maxLength: 40,
        description:
          "when it began, as 2026-01-31T12:00:00Z or nanoseconds since 1970; by default as it says itself, or so that it ends now",
      }),
    ),
  },
  closed,
);
export type ProfileQuery = Static<typeof ProfileQuery>;

export const StoredProfile = Type.Object({ format: Type.String(), samples: Type.Integer() });
