import type { Terminal } from "./terminal.ts";

/** Tells on stderr how far long work is: one line that is rewritten on a terminal, else a line a second at most. */
export interface Progress {
  report(text: string): void;
  /** Takes the rewritten line away, before something else is printed. */
  clear(): void;
}

const EVERY_MS_ON_TTY = 80;
const EVERY_MS_IN_LOG = 1000;
/** Short work passes without a word. */
const FIRST_AFTER_MS = 300;

/** now: milliseconds of a clock that never goes back. */
export function progressOn(terminal: Terminal, quiet: boolean, now: () => number = () => performance.now()): Progress {
  if (quiet) return { report: () => {}, clear: () => {} };
  const every = terminal.errIsTty ? EVERY_MS_ON_TTY : EVERY_MS_IN_LOG;
  let due = now() + FIRST_AFTER_MS;
  let shown = false;
  return {
    report(text) {
      if (now() < due) return;
      due = now() + every;
      terminal.err(terminal.errIsTty ? `\r\x1b[K${text.slice(0, 79)}` : `${text}\n`);
      shown = terminal.errIsTty;
    },
    clear() {
      if (shown) terminal.err("\r\x1b[K");
      shown = false;
    },
  };
}
