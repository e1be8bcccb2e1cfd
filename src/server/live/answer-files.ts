import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../log.ts";

/** An answer in the folder: what was asked, when it was made, and its text, packed. */
export interface FiledAnswer {
  readonly key: string;
  readonly madeUnixNs: bigint;
  /** gzip */
  readonly bytes: Buffer;
}

interface Head {
  readonly of: string;
  readonly key: string;
  readonly madeUnixNs: string;
}

const ENDING = ".answer";

/**
 * Answers in a folder, so that there is one to show after a restart: a line of JSON that says what it is, then the packed
 * answer. They are copies of what can be computed again: whatever fails here is told in the log, and nothing else.
 */
export class AnswerFiles {
  private readonly folder: string;
  private readonly of: string;
  private readonly log: Log;
  private last: Promise<void> = Promise.resolve();

  /** of: what the answers are of, the program's version and the store; answers of anything else are removed */
  constructor(folder: string, of: string, log: Log) {
    this.folder = folder;
    this.of = of;
    this.log = log;
  }

  /** All that are there, the oldest first. */
  read(): readonly FiledAnswer[] {
    const answers: FiledAnswer[] = [];
    try {
      mkdirSync(this.folder, { recursive: true, mode: 0o700 });
      for (const name of readdirSync(this.folder)) {
        const answer = name.endsWith(ENDING) ? this.answerIn(join(this.folder, name)) : undefined;
        if (answer === undefined) this.queue(() => rm(join(this.folder, name), { force: true }));
        else answers.push(answer);
      }
    } catch (error) {
      this.log("warn", "answers of before could not be read", { error });
    }
    return answers.sort((a, b) => Number(a.madeUnixNs - b.madeUnixNs));
  }

  write({ key, madeUnixNs, bytes }: FiledAnswer): void {
    const head: Head = { of: this.of, key, madeUnixNs: String(madeUnixNs) };
    const file = this.fileOf(key);
    this.queue(async () => {
      await writeFile(`${file}.new`, Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), bytes]), { mode: 0o600 });
      await rename(`${file}.new`, file);
    });
  }

  remove(key: string): void {
    this.queue(() => rm(this.fileOf(key), { force: true }));
  }

  /** Resolves when all that was asked for before is done. */
  settled(): Promise<void> {
    return this.last;
  }

  /** Undefined for what is none, or none of this program and store. */
  private answerIn(file: string): FiledAnswer | undefined {
    const content = readFileSync(file);
    const end = content.indexOf(0x0a);
    try {
      const { of, key, madeUnixNs } = JSON.parse(content.toString("utf8", 0, Math.max(0, end))) as Head;
      if (of !== this.of || typeof key !== "string") return undefined;
      return { key, madeUnixNs: BigInt(madeUnixNs), bytes: content.subarray(end + 1) };
    } catch {
      return undefined;
    }
  }

  private fileOf(key: string): string {
    return join(this.folder, `${createHash("sha256").update(key).digest("hex").slice(0, 32)}${ENDING}`);
  }

  private queue(work: () => Promise<void>): void {
    this.last = this.last.then(work).catch((error: unknown) => {
      this.log("warn", "an answer could not be kept for after a restart", { error });
    });
  }
}
