import type { Terminal } from "./terminal.ts";

/** Tells on stderr how far long work is: one line that is rewritten on a terminal, else a few lines, ever further apart. */
export interface Progress {
  report(text: string): void;
  /** Takes the rewritten line away, before something else is printed. */
  clear(): void;
}

const EVERY_MS_ON_TTY = 80;
/** Between the first two lines of a log; each wait is twice the one before: a log of an hour has 120, not 3,600. */
const FIRST_WAIT_IN_LOG_MS = 1000;
const LONGEST_WAIT_IN_LOG_MS = 30_000;
/** Short work passes without a word. */
const FIRST_AFTER_MS = 300;

/** now: milliseconds of a clock that never goes back. */
export function progressOn(terminal: Terminal, quiet: boolean, now: () => number = () => performance.now()): Progress {
  if (quiet) return { report: () => {}, clear: () => {} };
  let wait = terminal.errIsTty ? EVERY_MS_ON_TTY : FIRST_WAIT_IN_LOG_MS;
  let due = now() + FIRST_AFTER_MS;
  let shown = false;
  return {
    report(text) {
      if (now() < due) return;
      due = now() + wait;
      if (!terminal.errIsTty) wait = Math.min(2 * wait, LONGEST_WAIT_IN_LOG_MS);
      terminal.err(terminal.errIsTty ? `\r\x1b[K${text.slice(0, 79)}` : `${text}\n`);
      shown = terminal.errIsTty;
    },
    clear() {
      if (shown) terminal.err("\r\x1b[K");
      shown = false;
    },
  };
}
