import Type, { type Static } from "typebox";

/** "7d", "12h", "30m", "90s". */
const Duration = Type.String({
  pattern: "^\\d+(\\.\\d+)?(ms|s|m|h|d)$",
  description: "a duration as 90s, 15m, 12h or 7d",
});
/** "20GB", "512MiB". */
const Size = Type.String({
  pattern: "^\\d+(\\.\\d+)?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$",
  description: "a size as 512MiB or 20GB",
});
const Address = Type.String({ pattern: "^.+:\\d{1,5}$", description: "HOST:PORT" });
const Text = Type.String({ minLength: 1, description: "a text" });
const Count = Type.Integer({ minimum: 1, description: "a whole number above zero" });
const closed = { additionalProperties: false, description: "a mapping" } as const;

/** What `longpole.yaml` may hold. Descriptions are what an error message says was expected. */
export const ConfigSchema = Type.Object(
  {
    listen: Type.Optional(
      Type.Object({ api: Type.Optional(Address), grpc: Type.Optional(Address), http: Type.Optional(Address) }, closed),
    ),
    data: Type.Optional(Text),
    clickhouse: Type.Optional(
      Type.Object(
        {
          urls: Type.Array(Text, { minItems: 1, description: "a list of URLs" }),
          user: Type.Optional(Text),
          password: Type.Optional(Type.String({ description: "a text" })),
          passwordFile: Type.Optional(Text),
          database: Type.Optional(Text),
          cluster: Type.Optional(Text),
          replicated: Type.Optional(Type.Boolean({ description: "true or false" })),
          partialReads: Type.Optional(Type.Boolean({ description: "true or false" })),
        },
        closed,
      ),
    ),
    retention: Type.Optional(
      Type.Object(
        {
          traces: Type.Optional(Duration),
          metrics: Type.Optional(Duration),
          size: Type.Optional(Size),
        },
        closed,
      ),
    ),
    auth: Type.Optional(
      Type.Object(
        {
          tokens: Type.Optional(
            Type.Array(Type.String({ minLength: 16, description: "a token of 16 characters or more" }), {
              description: "a list of tokens",
            }),
          ),
          tokenFile: Type.Optional(Text),
        },
        closed,
      ),
    ),
    tls: Type.Optional(Type.Object({ cert: Text, key: Text }, closed)),
    hosts: Type.Optional(Type.Array(Text, { description: "a list of host names" })),
    objectives: Type.Optional(Type.Array(Text, { description: "a list of objectives" })),
    scrape: Type.Optional(
      Type.Array(
        Type.Object(
          {
            url: Type.String({ pattern: "^https?://", description: "an http or https URL" }),
            job: Text,
            every: Type.Optional(Duration),
            timeout: Type.Optional(Duration),
          },
          closed,
        ),
        { description: "a list of targets" },
      ),
    ),
    profiles: Type.Optional(
      Type.Array(
        Type.Object(
          {
            url: Type.String({ pattern: "^https?://", description: "an http or https URL" }),
            job: Text,
            every: Type.Optional(Duration),
            seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 300, description: "1 to 300 seconds" })),
            kinds: Type.Optional(
              Type.Array(
                Type.Union(
                  [Type.Literal("profile"), Type.Literal("heap"), Type.Literal("block"), Type.Literal("mutex")],
                  { description: "profile, heap, block or mutex" },
                ),
                { minItems: 1, description: "a list of profile, heap, block, mutex" },
              ),
            ),
          },
          closed,
        ),
        { description: "a list of Go programs" },
      ),
    ),
    postgres: Type.Optional(
      Type.Array(
        Type.Object(
          {
            url: Type.String({ pattern: "^postgres(ql)?://", description: "a postgres:// URL" }),
            every: Type.Optional(Duration),
            statements: Type.Optional(Count),
            plans: Type.Optional(Type.Boolean({ description: "true or false" })),
          },
          closed,
        ),
        { description: "a list of databases" },
      ),
    ),
    operations: Type.Optional(
      Type.Array(
        Type.Object(
          {
            service: Type.Optional(Text),
            match: Type.String({ minLength: 1, format: "regex", description: "a regular expression" }),
            name: Text,
          },
          closed,
        ),
        { description: "a list of rules" },
      ),
    ),
    limits: Type.Optional(
      Type.Object(
        {
          analysisSpans: Type.Optional(Count),
          queryTimeout: Type.Optional(Duration),
          requestBytes: Type.Optional(Size),
          memory: Type.Optional(Size),
          wal: Type.Optional(Size),
        },
        closed,
      ),
    ),
  },
  closed,
);

export type Config = Static<typeof ConfigSchema>;
