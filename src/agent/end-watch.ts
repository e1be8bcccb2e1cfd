import { writeSync } from "node:fs";

/** What ends a process from outside and leaves it time for a word; SIGHUP too: a terminal that is closed. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2", "SIGXCPU"] as const;
/** An orderly end takes a request or two, of ten seconds at most each; the unit of systemd waits 30 s. */
const LONGEST_END_MS = 25_000;
/** As for a setting that cannot be: anything but 0, so that who started it starts it again. */
const FAILED = 2;

/**
 * Sees to it that the agent never ends without saying why. What is thrown where nobody hears it, and what nobody awaits, is
 * said; the agent goes on where no state of its own can have suffered, and else ends in order, with an exit code that is not 0.
 */
export class EndWatch {
  /** aborted when it is to end: by a signal, or by a failure */
  readonly signal: AbortSignal;
  /** why it cannot go on; "" while it can */
  failure = "";
  private readonly tell: (text: string) => void;
  private readonly ending = new AbortController();
  private readonly told = new Set<string>();
  private readonly longestMs: number;
  private why = "";
  private deadline: NodeJS.Timeout | undefined;

  constructor(tell: (text: string) => void, longestMs: number = LONGEST_END_MS) {
    this.tell = tell;
    this.longestMs = longestMs;
    this.signal = this.ending.signal;
    for (const signal of SIGNALS) process.on(signal, this.onSignal);
    process.on("uncaughtException", this.onException);
    process.on("unhandledRejection", this.onRejection);
    process.on("exit", this.onExit);
  }

  /** The end was reached in order: nothing is watched any more. */
  release(): void {
    clearTimeout(this.deadline);
    for (const signal of SIGNALS) process.off(signal, this.onSignal);
    process.off("uncaughtException", this.onException);
    process.off("unhandledRejection", this.onRejection);
    process.off("exit", this.onExit);
  }

  private readonly onSignal = (signal: NodeJS.Signals): void => {
    if (this.ending.signal.aborted) {
      this.why = `a second signal, ${signal}: what it has is not sent`;
      process.exit(FAILED);
    }
    this.end(signal);
  };

  private readonly onException = (error: unknown): void => {
    const text = textOf(error);
    // Of a pipe or socket whose other end went away: nothing but that is broken.
    if (error instanceof Error && "syscall" in error)
      return this.once(`${text}, where nobody waited for it; the agent goes on`);
    this.failure ||= text;
    this.once(`this is a defect of Longpole, please report it: ${text}${placeOf(error)}`);
    this.end("a defect");
  };

  private readonly onRejection = (error: unknown): void => {
    this.once(`this is a defect of Longpole, please report it: ${textOf(error)}${placeOf(error)}; the agent goes on`);
  };

  /** Each once: what fails at each beat would fill the log. */
  private once(text: string): void {
    if (this.told.has(text)) return;
    this.told.add(text);
    this.tell(text);
  }

  private end(why: string): void {
    if (this.ending.signal.aborted) return;
    this.why = why;
    this.tell(`the agent ends: ${why}`);
    this.deadline = setTimeout(() => {
      this.why = `${why}, and an orderly end did not come within ${this.longestMs / 1000} s`;
      process.exit(FAILED);
    }, this.longestMs);
    this.ending.abort();
  }

  /** Nothing but what is written at once is written any more. */
  private readonly onExit = (code: number): void => {
    if (code === 0) process.exitCode = FAILED;
    const why = this.why === "" ? `nothing was left to do, or it was ended from within (exit code ${code})` : this.why;
    try {
      writeSync(2, `longpole: the agent ends at once: ${why}\n`);
    } catch {
      // Nobody reads it any more.
    }
  };
}

const textOf = (error: unknown): string => (error instanceof Error ? `${error.name}: ${error.message}` : String(error));

/** The first place in the code that it names. */
function placeOf(error: unknown): string {
  const place = error instanceof Error ? /^\s+at (.+)$/m.exec(error.stack ?? "")?.[1] : undefined;
  return place === undefined ? "" : ` (${place})`;
}
