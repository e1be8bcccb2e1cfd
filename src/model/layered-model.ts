/**
 * A layered queueing network (Woodside, Rolia): software that holds a thread or connection while it waits for
 * other software. References are positions in the lists; calls go from a task to one that stands later in `tasks`.
 */
export interface LayeredModel {
  readonly hosts: readonly LayeredHost[];
  readonly tasks: readonly LayeredTask[];
  readonly entries: readonly LayeredEntry[];
  readonly sources: readonly LayeredSource[];
}

/** Equal machines that share the work of the tasks on them evenly. */
export interface LayeredHost {
  readonly name: string;
  /** per copy; a quota may be a fraction */
  readonly cores: number;
  readonly copies: number;
  /** threads share the cores (default), or work takes turns, as on an event loop */
  readonly discipline?: "sharing" | "fifo";
}

/** A process, a pool of connections, a lock: what is held while an entry of it runs. */
export interface LayeredTask {
  readonly name: string;
  readonly host: number;
  /** invocations at once, per replica; Infinity where nothing limits them */
  readonly threads: number;
  /** spread evenly over the copies of the host; a call goes to one of them at random */
  readonly replicas: number;
}

export interface LayeredEntry {
  readonly name: string;
  readonly task: number;
  /** of the host, per invocation */
  readonly demandS: number;
  /** times that it comes to the host per invocation, default 1: what takes turns waits each time */
  readonly turns?: number;
  /** time per invocation in which a thread is held and nothing is used: network, timers, what is not modelled */
  readonly delayS: number;
  readonly calls: readonly LayeredCall[];
}

/** The caller waits for the answer. */
export interface LayeredCall {
  readonly entry: number;
  /** per invocation of the caller */
  readonly mean: number;
}

/** What makes requests: `calls` are made one after another per request. */
export type LayeredSource =
  | {
      readonly kind: "closed";
      readonly name: string;
      readonly customers: number;
      readonly thinkS: number;
      readonly calls: readonly LayeredCall[];
    }
  | {
      readonly kind: "open";
      readonly name: string;
      readonly perSecond: number;
      readonly calls: readonly LayeredCall[];
    };
