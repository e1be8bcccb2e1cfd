import type { TimeRange } from "../../store/store.ts";
import type { Connection } from "../../store/connection.ts";
import type { OperationRule } from "../config/settings.ts";
import type { LiveQuery } from "./live-diagnosis.ts";

/** What the analysis thread is started with. */
export interface ThreadSetUp {
  readonly budget: number;
  readonly operations: readonly OperationRule[];
}

/** What the thread is asked. */
export type Task =
  | { readonly kind: "report"; readonly query: LiveQuery }
  | { readonly kind: "page"; readonly query: LiveQuery; readonly producer: string }
  /** a stored trace as pages hold it, "null" where there is none */
  | { readonly kind: "trace"; readonly traceId: string }
  | { readonly kind: "what-if"; readonly range: TimeRange; readonly changes: readonly string[] }
  | { readonly kind: "export"; readonly range: TimeRange }
  | { readonly kind: "export-profile"; readonly range: TimeRange; readonly service: string };

export type ToThread =
  /** The connection comes with each task: an embedded engine that was started anew has another one. */
  | { readonly kind: "task"; readonly id: number; readonly task: Task; readonly connection: Connection }
  | { readonly kind: "cancel"; readonly id: number }
  /** a chunk was taken: the next may be sent */
  | { readonly kind: "taken"; readonly id: number };

export type FromThread =
  | {
      readonly kind: "progress";
      readonly id: number;
      readonly stage: string;
      readonly done: number;
      readonly total: number;
    }
  | { readonly kind: "partial"; readonly id: number; readonly json: string }
  | { readonly kind: "chunk"; readonly id: number; readonly data: string | Uint8Array }
  | { readonly kind: "done"; readonly id: number; readonly json: string }
  | {
      readonly kind: "failed";
      readonly id: number;
      readonly name: string;
      readonly code: string;
      readonly message: string;
    };
