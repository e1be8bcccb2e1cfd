import { compressionOf } from "../../formats/decompress.ts";
import { askInTurn } from "../ask-in-turn.ts";
import { askTarget, reasonOf, toldUrl } from "../ask-target.ts";
import type { Receiver } from "../receiver.ts";

/** What Go's net/http/pprof tells. */
export const PROFILE_KINDS = ["profile", "heap", "block", "mutex"] as const;
export type ProfileKind = (typeof PROFILE_KINDS)[number];

/** A Go program that serves its profiles. */
export interface ProfileTarget {
  /** of http or https: the program's address, or that of its pprof pages */
  readonly url: string;
  /** becomes `service.name` */
  readonly job: string;
  readonly intervalMs: number;
  /** how long the processor is profiled each time, and waits are counted */
  readonly seconds: number;
  readonly kinds: readonly ProfileKind[];
}

/** A program answers when the profile is done, and may be slow where it has little processor time. */
const PATIENCE_MS = 15_000;

/**
 * Asks each target for its profiles again and again: of the processor over some seconds, waits in the same seconds, and the heap
 * as it stands. What comes goes the way of what is received. A target that does not answer is told in the log when that begins.
 * Nothing is asked of addresses that were not configured: no redirect is followed. Throws for an address that is not of http
 * or https. Returns how to stop.
 */
export function startPulling(
  targets: readonly ProfileTarget[],
  receiver: Receiver,
  maxBytes: number,
  log: (text: string) => void,
): () => Promise<void> {
  const troubles = new Map(targets.map((target) => [target, new Map<ProfileKind, string>()]));
  return askInTurn(targets, "profiles", (target, stopped) =>
    pullAll(target, troubles.get(target)!, { receiver, maxBytes, log }, stopped),
  );
}

interface Way {
  readonly receiver: Receiver;
  readonly maxBytes: number;
  readonly log: (text: string) => void;
}

async function pullAll(
  target: ProfileTarget,
  troubles: Map<ProfileKind, string>,
  way: Way,
  stopped: AbortSignal,
): Promise<void> {
  await Promise.all(
    target.kinds.map(async (kind) => {
      const found = await pull(target, kind, way, stopped);
      if (stopped.aborted) return;
      const url = toldUrl(pprofUrl(target, kind));
      if (found !== (troubles.get(kind) ?? ""))
        way.log(found === "" ? `ingest: ${url} answers again` : `ingest: ${url} gives no profile: ${found}`);
      troubles.set(kind, found);
    }),
  );
}

/** Asks once; gives what is wrong, or "". */
async function pull(
  target: ProfileTarget,
  kind: ProfileKind,
  { receiver, maxBytes }: Way,
  stopped: AbortSignal,
): Promise<string> {
  let sent: Buffer;
  try {
    const timeoutMs = 1000 * target.seconds + PATIENCE_MS;
    sent = await askTarget({ url: pprofUrl(target, kind), accept: "*/*", timeoutMs, maxBytes }, stopped);
  } catch (error) {
    return reasonOf(error);
  }
  const lease = receiver.admit(sent.length);
  if ("kind" in lease) return lease.message;
  try {
    const compression = compressionOf(sent);
    const outcome = await receiver.take({
      signal: "profiles",
      format: "profile",
      encoding: compression === "none" ? "identity" : compression,
      receivedMs: Date.now(),
      service: target.job,
      instance: new URL(target.url).host,
      sent,
    });
    return outcome.kind === "bad" ? outcome.error.message : outcome.message;
  } finally {
    lease.release();
  }
}

/** The heap is told as it stands; of the others what happens in the next seconds. */
export function pprofUrl({ url, seconds }: Pick<ProfileTarget, "url" | "seconds">, kind: ProfileKind): string {
  const base = new URL(url);
  const path = base.pathname.replace(/\/+$/, "");
  base.pathname = `${path.includes("/debug/pprof") ? path : `${path}/debug/pprof`}/${kind}`;
  base.search = kind === "heap" ? "" : `?seconds=${seconds}`;
  return base.href;
}
