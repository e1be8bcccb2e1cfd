import type { Numbered, Reply } from "./messages.ts";

export interface Obedience {
  /** does what is asked; what it resolves with goes back where it is a process id */
  readonly answer: (request: Numbered) => Promise<number | undefined>;
  /** what is to be done before the process ends because it was told to */
  readonly end: () => Promise<void>;
  /** what is to be done before the process ends because its parent is gone */
  readonly orphaned?: () => Promise<void>;
}

/** Answers the requests of the parent, one after the other, and ends when told to or when the parent is gone. */
export function obeyParent({ answer, end, orphaned = async () => {} }: Obedience): void {
  let work: Promise<unknown> = Promise.resolve();
  let isEnding = false;
  const endAfter = (last: () => Promise<void>): void => {
    if (isEnding) return;
    isEnding = true;
    last()
      .catch((error: unknown) => console.error(String(error)))
      .finally(() => process.exit(0));
  };
  process.on("message", (message: Numbered) => {
    const { number } = message;
    work = work.then(() =>
      answer(message).then(
        (pid) => tellParent({ kind: "done", number, ...(pid === undefined ? {} : { pid }) }),
        (error: unknown) => tellParent({ kind: "failed", number, message: (error as Error).message }),
      ),
    );
  });
  // Ctrl-C and the end of a terminal are for the parent, which stops this process in its turn.
  for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
  process.once("SIGTERM", () => endAfter(end));
  process.once("disconnect", () => endAfter(orphaned));
  // The parent may have gone before anybody listened.
  if (!process.connected) endAfter(orphaned);
}

export function tellParent(message: Reply): void {
  if (process.connected) process.send?.(message);
}
