import type { Written } from "../formats/remote-write.ts";
import type { Reasons } from "./ledger.ts";
import type { KeptSignal } from "./signal.ts";

/** How the bytes of a request are to be read. */
export type BodyFormat =
  | "otlp-protobuf"
  | "otlp-json"
  | "zipkin-json"
  | "remote-write-1"
  | "remote-write-2"
  | "prometheus-text"
  | "profile";

/** How they are compressed. */
export type BodyEncoding = "identity" | "gzip" | "deflate" | "zstd" | "snappy";

/** A request as it came. */
export interface Body {
  readonly signal: KeptSignal;
  readonly format: BodyFormat;
  readonly encoding: BodyEncoding;
  readonly receivedMs: number;
  /** items of a time before are rejected: the store would not keep them */
  readonly oldestMs?: number | undefined;
  /** whose profile or metrics these are, where the bytes do not tell */
  readonly service?: string | undefined;
  readonly instance?: string | undefined;
  /** as sent */
  readonly sent: Uint8Array;
}

/** What the rows of a request depend on besides its bytes. */
export type Reading = Pick<Body, "format" | "receivedMs" | "oldestMs" | "service" | "instance">;

/** What a request came to. */
export interface Decoded {
  /** items that are in the block now */
  readonly accepted: number;
  readonly rejected: Reasons;
  /** where and why the first item was rejected; "" where none was */
  readonly example: string;
  /** of remote-write alone */
  readonly written?: Written;
}

/** Meta of a data record; names are short as there is one per request. */
export interface DataMeta {
  readonly signal: KeptSignal;
  readonly format: BodyFormat;
  readonly encoding: BodyEncoding;
  /** items accepted */
  readonly n: number;
  readonly rejected: Reasons;
  /** items of this signal accepted by the log so far, these included: tells what was lost when records are damaged */
  readonly total: number;
  readonly oldestMs?: number | undefined;
  readonly service?: string | undefined;
  readonly instance?: string | undefined;
}

/** Meta of a block record: all data records of a signal from number `first` to `last`. */
export interface BlockMeta {
  readonly token: string;
  readonly signal: KeptSignal;
  readonly first: number;
  readonly last: number;
}

/** Meta of a done record. */
export interface DoneMeta {
  readonly token: string;
  readonly signal: KeptSignal;
  readonly stored: number;
  readonly dropped: Reasons;
}

/** Meta of a void record. */
export interface VoidMeta {
  readonly from: number;
  readonly to: number;
}
