import { useEffect, useState } from "react";
import { isServed } from "./load-page.ts";

/** What this UI reads of the server's status, `longpole.status/1` (GET /api/v1/status describes it). */
export interface ServerStatus {
  readonly schema: string;
  readonly version: string;
  readonly nowUnixNs: string;
  readonly ready: boolean;
  readonly listening: { readonly api: string; readonly otlpGrpc?: string; readonly otlpHttp?: string };
  readonly ingest: Readonly<Record<string, SignalStatus>>;
  readonly senders?: readonly { readonly service: string }[];
  readonly store: {
    readonly state: string;
    readonly asOfUnixNs?: string;
    readonly awaySinceUnixNs?: string;
    readonly newestSpanUnixNs?: string;
    readonly tables: readonly { readonly table: string; readonly rows: number }[];
  };
  readonly analysis: {
    readonly waiting: number;
    readonly now?: { readonly stage: string; readonly done: number; readonly total: number };
  };
}

export interface SignalStatus {
  readonly received: number;
  readonly stored: number;
  readonly waiting: number;
  readonly rejected: Readonly<Record<string, number>>;
  readonly dropped: Readonly<Record<string, number>>;
  readonly perSecond: number;
  /** how old the newest of it is; absent before anything came */
  readonly lagMs?: number;
}

export type ServerLink =
  /** a page from disk has no server */
  | { readonly kind: "none" }
  | { readonly kind: "heard"; readonly status: ServerStatus }
  /** `status` is the last that came */
  | { readonly kind: "away"; readonly sinceMs: number; readonly status: ServerStatus | undefined }
  | { readonly kind: "other-version"; readonly schema: string };

const STATUS_SCHEMA = "longpole.status/1";
/** A refused or broken stream is asked for again after so long; browsers see to dropped connections themselves. */
const AGAIN_MS = 5_000;

/** The server's status each second, and since when it is silent. */
export function useServerStatus(): ServerLink {
  const [link, setLink] = useState<ServerLink>({ kind: "none" });
  useEffect(() => {
    if (!isServed()) return;
    let events: EventSource | undefined;
    let again: ReturnType<typeof setTimeout> | undefined;
    const open = (): void => {
      events = new EventSource("api/v1/events");
      events.addEventListener("status", (event: MessageEvent<string>) => {
        const status = JSON.parse(event.data) as ServerStatus;
        setLink(
          status.schema === STATUS_SCHEMA
            ? { kind: "heard", status }
            : { kind: "other-version", schema: String(status.schema) },
        );
      });
      events.addEventListener("error", () => {
        setLink((before) => {
          if (before.kind === "away") return before;
          return { kind: "away", sinceMs: Date.now(), status: before.kind === "heard" ? before.status : undefined };
        });
        if (events?.readyState === EventSource.CLOSED) again = setTimeout(open, AGAIN_MS);
      });
    };
    open();
    return () => {
      clearTimeout(again);
      events?.close();
    };
  }, []);
  return link;
}

export const sumOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

/** Nanoseconds since 1970 as text → milliseconds. */
export const unixMs = (ns: string): number => Number(BigInt(ns) / 1_000_000n);
