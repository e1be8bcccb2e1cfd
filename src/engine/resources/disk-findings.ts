import type { Finding } from "../../model/report.ts";
import { findingId, type RankedDraft } from "../findings.ts";
import { count, ms, percent } from "../wording.ts";
import type { DiskUse } from "./disk-users.ts";
import type { BusyDisk } from "./host-disk.ts";
import { REMEDIES } from "./judge-claims.ts";
import type { ResourceContext } from "./resource-context.ts";

/** How sure it is that a disk that became busy is why something takes longer: it is not seen who waited for it. */
const CONFIDENCE = 0.75;
/** What to expect where nothing measured how much longer requests take. */
const UNMEASURED_GAIN = 0.3;

/** One finding per disk that became busy since the baseline while something takes longer. Its subject is the machine. */
export function diskFindings(context: ResourceContext): RankedDraft[] {
  return context.busyDisks.map((disk): RankedDraft => {
    const { impact, gain, traffic } = impactOf(context, disk.host);
    const use = context.diskUses.find(({ host, device }) => host === disk.host && device === disk.device);
    return { severity: "warning", score: gain * CONFIDENCE * traffic, finding: findingOf(disk, impact, use) };
  });
}

/** Users of a disk that are named; others take little of it. */
const MOST_USERS = 3;

/** "of 1,204 requests for vda: orders 62 % of their time (310 requests, 12 MB), no service 30 % ..." */
function usersOf({ device, requests, users }: DiskUse): string {
  const parts = users.slice(0, MOST_USERS).map(({ service, requests: own, bytes, share }) => {
    const who = service === "" ? "the kernel itself (write-back, journal) and others" : service;
    return `${who} ${percent(share)} of their time (${count(Math.round(own))}, ${count(bytes / 1e6)} MB)`;
  });
  return `of ${count(Math.round(requests))} requests for ${device}: ${parts.join("; ")}`;
}

function findingOf(
  { host, device, deviation, text }: BusyDisk,
  impact: Finding["impact"],
  use: DiskUse | undefined,
): Finding {
  const mechanism = "disk-saturated";
  const subject = { service: host, host, resource: `disk:${device}` };
  return {
    rank: 0,
    id: findingId({ mechanism, subject }),
    kind: "resource",
    severity: "warning",
    confidence: CONFIDENCE,
    title: `the disk ${device} of ${host} is busy, and was not before`,
    why: `${text}. What is slower on this machine than in the baseline, and has no other reason, waits for it: commits, reads that miss the cache, log files.`,
    subject,
    mechanism,
    impact,
    chain: [{ claim: text, evidence: [0] }, ...(use === undefined ? [] : [{ claim: usersOf(use), evidence: [1] }])],
    evidence: [
      {
        kind: "series",
        text,
        query: `${deviation.quantity} of ${host}, device ${device}, now and in the baseline`,
      },
      ...(use === undefined
        ? []
        : [
            {
              kind: "statistic" as const,
              text: usersOf(use),
              query: "longpole.process.block_io.*, longpole.host.block_io.*",
            },
          ]),
    ],
    counter:
      use === undefined
        ? [
            "who reads or writes so much is not told by these metrics: longpole agent, iotop or the I/O of each process would",
          ]
        : [],
    refutedBy: "requests that stay slow while the disk is idle",
    remedy: { text: REMEDIES[mechanism]! },
  };
}

/** The symptom at the edge of the system that the metrics show. */
function impactOf(
  { localisations }: ResourceContext,
  host: string,
): {
  impact: Finding["impact"];
  gain: number;
  traffic: number;
} {
  const felt = localisations.find(({ symptom }) => symptom.of === "duration");
  const [now, usual] = felt === undefined ? [0, 0] : [felt.symptom.now, Math.min(felt.symptom.usual, felt.symptom.now)];
  const inMs = (seconds: number): number => Math.round(seconds * 1e6) / 1e3;
  return {
    impact: {
      endpoint: { service: felt?.symptom.service ?? host, operation: "all requests" },
      metric: "mean",
      now: inMs(now),
      predicted: inMs(usual),
      low: inMs(usual),
      high: inMs(now),
      unit: "ms",
      method:
        felt === undefined
          ? "not measured: no service at the edge of the system tells how long its requests take"
          : `mean of requests by metrics, now and as usual in the baseline; up to ${ms(1e9 * now)} if something else is as late`,
    },
    gain: now > 0 ? Math.max(0.01, 1 - usual / now) : UNMEASURED_GAIN,
    traffic: felt?.traffic ?? 1,
  };
}
