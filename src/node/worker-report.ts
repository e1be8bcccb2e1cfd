import type { Pauses } from "./gc-pauses.ts";

/** What a worker's thread tells the main thread, of the time since its last report. Times in seconds. */
export interface WorkerReport {
  readonly threadId: number;
  /** what its threads have in common: the name that it was given where Node tells it, else its script */
  readonly name: string;
  readonly activeS: number;
  readonly idleS: number;
  /** the latest that a timer came; -1 where none was due */
  readonly lateS: number;
  readonly pauses: ReadonlyMap<string, Pauses>;
  /** a profile in two parts (`OtlpProfileParts`); both empty where there is none */
  readonly scopes: Uint8Array;
  readonly dictionary: Uint8Array;
}

/** Memory that a report takes while it waits, about: the rest of it is a few numbers. */
export const reportBytes = ({ scopes, dictionary }: WorkerReport): number => 512 + scopes.length + dictionary.length;
