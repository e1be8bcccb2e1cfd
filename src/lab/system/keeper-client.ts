import { join } from "node:path";
import { Child } from "./child.ts";
import { removeLeftover } from "./leftovers.ts";
import { CONFIG_VARIABLE, SYSTEM_VARIABLE, type KeeperConfig, type Leftover, type PostgresPlan } from "./messages.ts";

const STOP_PATIENCE_MS = 15_000;

/** It does one thing after the other, and has limits of its own for each: a start of PostgreSQL may take half a minute. */
const ANSWER_PATIENCE_MS = 90_000;

export interface KeeperOptions {
  readonly systemId: string;
  /** with a folder `logs` in it */
  readonly folder: string;
  readonly removeAtEnd: readonly string[];
  readonly log: (line: string) => void;
}

/** The keeper as the parent sees it; what it was told to take away is taken away also where it dies itself. */
export class Keeper {
  readonly child: Child;
  #leftovers: readonly Leftover[] = [];
  /** first process of the server, as long as nothing tells that it has ended */
  #postmaster: number | undefined;
  readonly #log: (line: string) => void;

  private constructor(child: Child, log: (line: string) => void) {
    this.child = child;
    this.#log = log;
    void child.trouble.then(() => (this.#postmaster = undefined));
    // At once: later, its number may be that of another process.
    void child.ended.then(() => this.#endPostgres());
  }

  /**
   * `removeAtEnd` are folders that it removes last, and only where this process is gone; it knows them from its first
   * moment on. `log` hears of what could not be taken away.
   */
  static async start({ systemId, folder, removeAtEnd, log }: KeeperOptions): Promise<Keeper> {
    const config: KeeperConfig = { removeAtEnd };
    const child = await Child.start({
      name: "keeper",
      module: "keeper",
      logFile: join(folder, "logs", "keeper.log"),
      env: { [SYSTEM_VARIABLE]: systemId, [CONFIG_VARIABLE]: JSON.stringify(config) },
      execArgv: [],
      prefix: [],
      diesWithParent: false,
    });
    return new Keeper(child, log);
  }

  /** Before it is made, so that there is no moment at which it could be forgotten. */
  async remember(leftover: Leftover): Promise<void> {
    this.#leftovers = [...this.#leftovers, leftover];
    await this.child.ask({ kind: "remember", leftover }, ANSWER_PATIENCE_MS);
  }

  async remove(leftover: Leftover): Promise<void> {
    await this.child.ask({ kind: "remove", leftover }, ANSWER_PATIENCE_MS);
    this.#leftovers = this.#leftovers.filter((other) => other !== leftover);
  }

  /** Resolves with the process id when the server takes connections; rejects with the end of its log. */
  async startPostgres(plan: PostgresPlan): Promise<number | undefined> {
    const reply = await this.child.ask({ kind: "postgres-start", plan }, ANSWER_PATIENCE_MS);
    this.#postmaster = reply.kind === "done" ? reply.pid : undefined;
    return this.#postmaster;
  }

  async stopPostgres(): Promise<void> {
    this.#postmaster = undefined;
    await this.child.ask({ kind: "postgres-stop" }, ANSWER_PATIENCE_MS);
  }

  /** Ends the keeper, which takes away all that it knows of. */
  async stop(): Promise<void> {
    await this.child.stop(STOP_PATIENCE_MS);
    if (!this.child.endedInOrder) await this.sweep();
  }

  /** Takes away all that was remembered, without the keeper; nothing happens to what is gone already. */
  async sweep(): Promise<void> {
    for (const leftover of this.#leftovers.toReversed()) {
      await removeLeftover(leftover).catch((error: unknown) => {
        this.#log(`left behind: ${nameOf(leftover)}: ${(error as Error).message}`);
      });
    }
  }

  /** A keeper that ended in order has ended the server before. */
  #endPostgres(): void {
    const pid = this.#postmaster;
    this.#postmaster = undefined;
    if (pid === undefined || this.child.endedInOrder) return;
    try {
      process.kill(pid, "SIGQUIT");
    } catch {
      // It has died with the keeper, or the number is that of somebody else's process by now.
    }
  }
}

function nameOf(leftover: Leftover): string {
  switch (leftover.kind) {
    case "folder":
    case "cgroup":
      return leftover.path;
    case "network":
      return `network namespace ${leftover.namespace}`;
    case "database":
      return `database ${leftover.name}`;
  }
}
