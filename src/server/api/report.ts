import Type from "typebox";
import { FINDING_KINDS, LEDGER_LINKS, MECHANISMS, SEVERITIES, type Report } from "../../model/report.ts";
import { UnixNsText } from "./common.ts";

const Numbers = Type.Number();
const Text = Type.String();
const oneOf = <T extends string>(values: readonly T[]) => Type.Unsafe<T>({ type: "string", enum: [...values] });
const EndpointName = Type.Object({ service: Text, operation: Text });

const Gate = Type.Object({ name: Text, ok: Type.Boolean(), detail: Text });
const DataQuality = Type.Object({
  traces: Numbers,
  incompleteTraces: Numbers,
  spans: Numbers,
  orphanSpans: Numbers,
  skewedHosts: Type.Array(
    Type.Object({ from: Text, to: Text, lowMs: Numbers, highMs: Numbers, appliedMs: Numbers, pairs: Numbers }),
  ),
  sampling: oneOf(["none", "head", "tail", "unknown"] as const),
  gates: Type.Array(Gate),
  ledger: Type.Object({
    received: Numbers,
    analysed: Numbers,
    incomplete: Numbers,
    rejected: Type.Array(Type.Object({ reason: Text, spans: Numbers, example: Text })),
  }),
  metricPoints: Type.Optional(
    Type.Object({
      received: Numbers,
      analysed: Numbers,
      notUsed: Numbers,
      rejected: Type.Array(Type.Object({ reason: Text, points: Numbers, example: Text })),
    }),
  ),
  warnings: Type.Array(Text),
  complete: Type.Boolean({ description: "false: a part of the answer, or it was cut short" }),
});

const EndpointReport = Type.Object({
  service: Text,
  operation: Text,
  requests: Numbers,
  perSecond: Numbers,
  errorRatio: Numbers,
  p50Ms: Numbers,
  p95Ms: Numbers,
  p99Ms: Numbers,
  caution: Type.Optional(Text),
  blame: Type.Array(
    Type.Object({
      service: Text,
      operation: Text,
      timeKind: Text,
      p50Ms: Numbers,
      p99Ms: Numbers,
      lowMs: Numbers,
      highMs: Numbers,
    }),
  ),
  ledger: Type.Optional(
    Type.Object({
      ownMs: Numbers,
      explainedShare: Numbers,
      rows: Type.Array(
        Type.Object({
          service: Text,
          operation: Text,
          timeKind: Text,
          link: oneOf(LEDGER_LINKS),
          source: Type.Optional(Text),
          callee: Type.Optional(Text),
          p50Ms: Numbers,
          p99Ms: Numbers,
          lowMs: Numbers,
          highMs: Numbers,
          share: Numbers,
        }),
      ),
    }),
  ),
  baseline: Type.Optional(Type.Object({ requests: Numbers, p50Ms: Numbers, p95Ms: Numbers, p99Ms: Numbers })),
});

const NumberOrNull = Type.Union([Numbers, Type.Null()]);
const ObjectiveLoad = Type.Object({
  endpoint: EndpointName,
  metric: oneOf(["p50", "p95", "p99"] as const),
  limitMs: Numbers,
  fallsAtPerSecond: NumberOrNull,
  lowPerSecond: NumberOrNull,
  highPerSecond: NumberOrNull,
  detail: Type.Optional(Text),
});

const Throughput = Type.Object({
  status: oneOf(["ok", "insufficient-data", "gate-failed"] as const),
  detail: Text,
  limiter: Type.Optional(
    Type.Object({
      service: Text,
      resource: Text,
      ceilingPerSecond: Numbers,
      lowPerSecond: Numbers,
      highPerSecond: Numbers,
      utilisation: Numbers,
    }),
  ),
  next: Type.Optional(Type.Object({ service: Text, resource: Text, ceilingPerSecond: Numbers })),
  resources: Type.Optional(
    Type.Array(
      Type.Object({
        service: Text,
        resource: Text,
        instance: Type.Optional(Text),
        host: Type.Optional(Text),
        demandMs: Type.Optional(Numbers),
        capacity: Type.Optional(Numbers),
        utilisation: Numbers,
        worstUtilisation: Type.Optional(Numbers),
        shareAboveLine: Type.Optional(Numbers),
        waiting: Type.Optional(Numbers),
        errorsPerSecond: Type.Optional(Numbers),
        ceilingPerSecond: Type.Optional(Numbers),
      }),
    ),
  ),
  assumptions: Type.Optional(Type.Array(Text)),
  objectives: Type.Optional(Type.Array(ObjectiveLoad)),
});

const Finding = Type.Object({
  rank: Numbers,
  id: Text,
  kind: oneOf(FINDING_KINDS),
  severity: oneOf(SEVERITIES),
  confidence: Numbers,
  title: Text,
  why: Text,
  subject: Type.Object({
    service: Text,
    operation: Type.Optional(Text),
    resource: Type.Optional(Text),
    statement: Type.Optional(Text),
    frame: Type.Optional(Text),
    syscall: Type.Optional(Text),
    setting: Type.Optional(Text),
    instance: Type.Optional(Text),
    host: Type.Optional(Text),
  }),
  mechanism: oneOf(MECHANISMS),
  impact: Type.Object({
    endpoint: EndpointName,
    metric: oneOf(["p99", "p95", "p50", "ceiling", "mean"] as const),
    now: Numbers,
    predicted: Numbers,
    low: Numbers,
    high: Numbers,
    unit: oneOf(["ms", "requests/s"] as const),
    method: Type.Optional(Text),
  }),
  chain: Type.Array(Type.Object({ claim: Text, evidence: Type.Array(Numbers) })),
  evidence: Type.Array(
    Type.Object({
      kind: oneOf(["trace", "series", "stack", "statement", "setting", "statistic"] as const),
      text: Text,
      query: Text,
      link: Type.Optional(Text),
    }),
  ),
  counter: Type.Array(Text),
  refutedBy: Text,
  remedy: Type.Object({ text: Text, change: Type.Optional(Text), whatIf: Type.Optional(Text) }),
});

const CostRow = Type.Object({
  endpoint: EndpointName,
  tenant: Type.Optional(Text),
  tenantAttribute: Type.Optional(Text),
  requestsPerSecond: Numbers,
  cpuSecondsPerSecond: Type.Optional(Numbers),
  cpuMsPerRequest: Type.Optional(Numbers),
  dbSecondsPerSecond: Numbers,
  dbMsPerRequest: Numbers,
  bytesPerSecond: Type.Optional(Numbers),
  bytesPerRequest: Type.Optional(Numbers),
  share: Numbers,
  low: Numbers,
  high: Numbers,
});

const CostTotals = Type.Object({
  of: oneOf(["cpu", "database"] as const),
  cpuSecondsPerSecond: Type.Optional(Numbers),
  dbSecondsPerSecond: Numbers,
  bytesPerSecond: Type.Optional(Numbers),
  unattributed: Type.Array(
    Type.Object({
      service: Text,
      resource: oneOf(["cpu", "database", "bytes"] as const),
      perSecond: Numbers,
      share: Numbers,
      why: Text,
    }),
  ),
  notMeasured: Type.Array(Text),
  perUnit: Type.Optional(
    Type.Array(
      Type.Object({
        service: Text,
        unit: Text,
        perSecond: Numbers,
        cpuSecondsPerThousand: Numbers,
        low: Numbers,
        high: Numbers,
      }),
    ),
  ),
});

const Live = Type.Object({
  fromUnixNs: UnixNsText,
  toUnixNs: UnixNsText,
  traceShare: Numbers,
  spansInWindow: Numbers,
  stale: Type.Optional(Type.Object({ why: Text, madeUnixNs: UnixNsText })),
  baseline: Type.Optional(
    Type.Object({ fromUnixNs: UnixNsText, toUnixNs: UnixNsText, traceShare: Numbers, why: Text }),
  ),
});

/** `longpole.report/1`, as `src/model/report.ts` has it: the compiler holds both against each other below. */
export const ReportSchema = Type.Object(
  {
    schema: Type.Literal("longpole.report/1"),
    window: Type.Object({ startUnixNs: Text, endUnixNs: Text }),
    dataQuality: DataQuality,
    endpoints: Type.Array(EndpointReport),
    objectives: Type.Optional(
      Type.Array(
        Type.Object({
          text: Text,
          endpoint: Type.Union([EndpointName, Type.Null()]),
          metric: oneOf(["p50", "p95", "p99"] as const),
          limitMs: Numbers,
          nowMs: Type.Union([Numbers, Type.Null()]),
          met: Type.Union([Type.Boolean(), Type.Null()]),
          detail: Type.Optional(Text),
        }),
      ),
    ),
    throughput: Throughput,
    costs: Type.Optional(Type.Array(CostRow)),
    costTotals: Type.Optional(CostTotals),
    findings: Type.Array(Finding),
    healthy: Type.Boolean(),
    checkedNotCause: Type.Array(Type.Object({ what: Text, detail: Text })),
    unexplained: Type.Array(Type.Object({ service: Text, p99Ms: Numbers, collect: Text })),
    live: Type.Optional(Live),
  },
  { $id: "Report" },
);

type Writable<T> = T extends readonly (infer E)[]
  ? Writable<E>[]
  : T extends object
    ? { -readonly [K in keyof T]: Writable<T[K]> }
    : T;
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;
/** Does not compile when a field has another type here than there; that none is left out is tested. */
void (true satisfies Same<Type.Static<typeof ReportSchema>, Writable<Report>>);
