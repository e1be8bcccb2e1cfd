import { gzipSync } from "node:zlib";
import type { DiskQueue, Waiting } from "./disk-queue.ts";
import type { ExportSettings } from "./export-settings.ts";
import type { Outcome } from "./post.ts";

export type Signal = "metrics" | "profiles";

export interface ExporterParts {
  readonly settings: Pick<ExportSettings, "metrics" | "profiles" | "isCompressed">;
  readonly queue: DiskQueue;
  readonly post: (
    endpoint: ExportSettings["metrics"],
    body: Uint8Array,
    isCompressed: boolean,
    contentType: string,
  ) => Promise<Outcome>;
  readonly log: (text: string) => void;
  readonly nowMs: () => number;
  /** 0 .. 1 */
  readonly random: () => number;
}

const CONTENT_TYPE = "application/x-protobuf";
/** The first wait after a failure, and the longest: each is twice the one before. */
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 60_000;
/** A server may ask for longer, but not for ever. */
const LONGEST_ASKED_MS = 600_000;
/** Level 1 costs half of the default's time, for a tenth more bytes. At once: 2 ms, which is less than another thread's turn costs. */
const LEVEL = 1;

/**
 * Sends what it is given, in order. While the server is away it waits on the disk; each failure doubles the wait to the
 * next try, drawn from the upper half of it, so that many agents do not come back at one moment.
 */
export class Exporter {
  /** requests since the start: taken, refused for good, and lost for want of room in the queue */
  taken = 0;
  refused = 0;
  private readonly parts: ExporterParts;
  private failures = 0;
  private nextTryMs = 0;
  private draining: Promise<void> | undefined;
  /** of a request that never waited */
  private trying: Promise<Outcome> | undefined;
  private told = "";
  /** what the server has no path for: sent no more, and no loss */
  private readonly unknown = new Set<Signal>();

  constructor(parts: ExporterParts) {
    this.parts = parts;
  }

  /** Whether the server has a path for it, as far as is known. */
  wants(signal: Signal): boolean {
    return !this.unknown.has(signal);
  }

  get dropped(): number {
    return this.refused + this.parts.queue.dropped;
  }

  /**
   * Takes over a request, which is sent or on the disk when it resolves; while another one is on its way it goes to the disk at
   * once. Never rejects.
   */
  async send(signal: Signal, body: Uint8Array): Promise<void> {
    const { queue, settings } = this.parts;
    if (this.unknown.has(signal)) return;
    const { isCompressed } = settings;
    try {
      const small = isCompressed ? gzipSync(body, { level: LEVEL }) : body;
      // In order: what waits is older.
      if (queue.size === 0 && this.parts.nowMs() >= this.nextTryMs && !this.isBusy) {
        this.trying = this.try(signal, small, isCompressed).finally(() => (this.trying = undefined));
        const { kind } = await this.trying;
        if (kind === "later") this.keep(signal, small, isCompressed);
      } else this.keep(signal, small, isCompressed);
    } catch (error) {
      // No memory to compress it.
      this.refused++;
      this.tell(`a request is lost: ${messageOf(error)}`);
    }
    // Whoever is at it goes on with what was put behind.
    if (!this.isBusy) await this.drain();
  }

  private get isBusy(): boolean {
    return this.trying !== undefined || this.draining !== undefined;
  }

  /** Sends what waits, as long as it is taken and the time for a try has come. */
  drain(): Promise<void> {
    this.draining ??= this.drainAll().finally(() => (this.draining = undefined));
    return this.draining;
  }

  /** The last try, whatever the wait: what is not taken stays for the next start. */
  async finish(): Promise<void> {
    await this.trying;
    await this.draining;
    this.nextTryMs = 0;
    await this.drain();
  }

  private async drainAll(): Promise<void> {
    const { queue, nowMs, log } = this.parts;
    for (let one = queue.oldest(); one !== undefined && nowMs() >= this.nextTryMs; one = queue.oldest()) {
      const body = this.bodyOf(one);
      if (body === undefined) continue;
      const outcome = await this.try(one.signal === "profiles" ? "profiles" : "metrics", body, one.isCompressed);
      if (outcome.kind === "later") return;
      this.forget(one);
      if (queue.size === 0) log("what waited is sent");
    }
  }

  private bodyOf(one: Waiting): Buffer | undefined {
    try {
      return this.parts.queue.read(one);
    } catch (error) {
      this.tell(`a request that waited is lost: ${messageOf(error)}`);
      this.forget(one);
      this.refused++;
      return undefined;
    }
  }

  private forget(one: Waiting): void {
    try {
      this.parts.queue.remove(one);
    } catch (error) {
      this.tell(`a request that is sent stays in the folder, and would be sent again: ${messageOf(error)}`);
    }
  }

  private keep(signal: Signal, body: Uint8Array, isCompressed: boolean): void {
    try {
      this.parts.queue.add(signal, body, isCompressed);
    } catch (error) {
      this.refused++;
      this.tell(`a request is lost: ${messageOf(error)}`);
    }
  }

  private async try(signal: Signal, body: Uint8Array, isCompressed: boolean): Promise<Outcome> {
    const { settings, post, nowMs, random } = this.parts;
    // What Node does not even begin to send (a header with a line break) is refused, as by a server.
    const outcome = await post(settings[signal], body, isCompressed, CONTENT_TYPE).catch((error: unknown): Outcome => ({
      kind: "refused",
      why: messageOf(error),
      isUnknown: false,
    }));
    if (outcome.kind === "later") {
      const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.failures++);
      const waitMs = Math.max(longest * (0.5 + random() / 2), Math.min(outcome.waitMs ?? 0, LONGEST_ASKED_MS));
      this.nextTryMs = nowMs() + waitMs;
      this.tell(`${settings[signal].url.host} takes nothing (${outcome.why}); ${signal} wait on the disk`);
      return outcome;
    }
    this.failures = 0;
    this.nextTryMs = 0;
    if (outcome.kind === "taken") {
      this.taken++;
      this.told = "";
    } else if (outcome.isUnknown && signal === "profiles") {
      this.unknown.add(signal);
      this.tell(`${settings[signal].url.href} is not known there (${outcome.why}): profiles are not sent`);
    } else {
      this.refused++;
      this.tell(`${settings[signal].url.href} refuses ${signal}: ${outcome.why}`);
    }
    return outcome;
  }

  /** Each trouble once, not at each try. */
  private tell(text: string): void {
    if (text === this.told) return;
    this.told = text;
    this.parts.log(text);
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
