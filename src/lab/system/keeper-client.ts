import { join } from "node:path";
import { Child } from "./child.ts";
import { removeLeftover } from "./leftovers.ts";
import { SYSTEM_VARIABLE, type Leftover, type PostgresPlan } from "./messages.ts";

const STOP_PATIENCE_MS = 15_000;

/** The keeper as the parent sees it; what it was told to take away is taken away also where it dies itself. */
export class Keeper {
  readonly child: Child;
  #leftovers: readonly Leftover[] = [];
  #postmaster: number | undefined;

  private constructor(child: Child) {
    this.child = child;
  }

  static async start(systemId: string, folder: string): Promise<Keeper> {
    const child = await Child.start({
      name: "keeper",
      module: "keeper",
      logFile: join(folder, "logs", "keeper.log"),
      env: { [SYSTEM_VARIABLE]: systemId },
      execArgv: [],
      prefix: [],
      diesWithParent: false,
    });
    return new Keeper(child);
  }

  /** Before it is made, so that there is no moment at which it could be forgotten. */
  async remember(leftover: Leftover): Promise<void> {
    this.#leftovers = [...this.#leftovers, leftover];
    await this.child.ask({ kind: "remember", leftover });
  }

  async remove(leftover: Leftover): Promise<void> {
    await this.child.ask({ kind: "remove", leftover });
    this.#leftovers = this.#leftovers.filter((other) => other !== leftover);
  }

  /** Resolves with the process id when the server takes connections; rejects with the end of its log. */
  async startPostgres(plan: PostgresPlan): Promise<number | undefined> {
    const reply = await this.child.ask({ kind: "postgres-start", plan });
    this.#postmaster = reply.kind === "done" ? reply.pid : undefined;
    return this.#postmaster;
  }

  async stopPostgres(): Promise<void> {
    this.#postmaster = undefined;
    await this.child.ask({ kind: "postgres-stop" });
  }

  async stop(): Promise<void> {
    const died = this.child.hasEnded;
    await this.child.stop(STOP_PATIENCE_MS);
    if (died) await this.#standIn();
  }

  async #standIn(): Promise<void> {
    if (this.#postmaster !== undefined) endAtOnce(this.#postmaster);
    for (const leftover of this.#leftovers.toReversed()) await removeLeftover(leftover);
  }
}

function endAtOnce(pid: number): void {
  try {
    process.kill(pid, "SIGQUIT");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
