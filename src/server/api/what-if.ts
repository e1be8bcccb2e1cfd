import Type, { type Static } from "typebox";
import { closed, WindowFields } from "./common.ts";

export const WhatIfBody = Type.Object(
  {
    ...WindowFields,
    changes: Type.Array(Type.String({ minLength: 1, maxLength: 1000 }), {
      minItems: 1,
      maxItems: 20,
      description: "changes that happen together, as longpole what-if --change has them",
    }),
  },
  closed,
);
export type WhatIfBody = Static<typeof WhatIfBody>;

const Quantile = Type.Object({
  now: Type.Number(),
  predicted: Type.Number(),
  low: Type.Number(),
  high: Type.Number(),
});
const Limiter = Type.Object({ service: Type.String(), resource: Type.String() });

export const WhatIf = Type.Object(
  {
    schema: Type.Literal("longpole.what-if/1"),
    changes: Type.Array(Type.String()),
    endpoints: Type.Array(
      Type.Object({
        service: Type.String(),
        operation: Type.String(),
        requests: Type.Number(),
        p50: Quantile,
        p95: Quantile,
        p99: Quantile,
        unit: Type.Literal("ms"),
      }),
    ),
    ceiling: Type.Union([
      Type.Null(),
      Type.Object({
        ...Quantile.properties,
        unit: Type.Literal("requests/s"),
        limiterNow: Limiter,
        limiterAfter: Limiter,
      }),
    ]),
    assumptions: Type.Array(Type.String()),
    cannotTell: Type.Array(Type.String()),
  },
  { $id: "WhatIf" },
);
