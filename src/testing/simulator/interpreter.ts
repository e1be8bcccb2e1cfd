import { SpanKind, SpanStatus } from "../../model/span-table.ts";
import { Conventions, type SpanShape } from "./conventions.ts";
import { sample } from "./distribution.ts";
import type { EventQueue } from "./event-queue.ts";
import { Draws, mixKey, nameKey } from "./random.ts";
import type { Instance, Runtime } from "./runtime.ts";
import type { OpenSpan, SpanWriter, TraceIdentity } from "./span-writer.ts";
import { Semaphore } from "./stations.ts";
import type { OperationSpec, Step, SystemSpec } from "./system.ts";
import { operationOf, queueOf, serviceOf } from "./system-walk.ts";

export interface Request {
  readonly index: number;
  /** seeds all draws made on its behalf */
  readonly key: number;
  readonly endpoint: number;
  readonly trace: TraceIdentity;
  readonly attributes: ReadonlyMap<string, string>;
  firstStartMs: number;
  /** when the root or the last consumer was done */
  lastEndMs: number;
}

/** Where a program stands: which request, in which process, under which span. */
interface Frame {
  readonly request: Request;
  readonly instance: Instance;
  readonly span: OpenSpan;
  /** differs between visits of the same operation, for the draws */
  readonly key: number;
  /** pool whose connection the frame holds, "" for none */
  readonly holds: string;
}

/** How a step ended: 0, or the HTTP status of the failure. */
type Outcome = number;
type Done = (outcome: Outcome) => void;

const OK: Outcome = 0;
const TIMED_OUT: Outcome = 504;
const REPLICA = nameKey("replica");
const IDENTIFIER = nameKey("identifier");

/** Runs the programs of all services in simulated time, in continuation-passing style, and writes a span where they would. */
export class Interpreter {
  private readonly system: SystemSpec;
  private readonly events: EventQueue;
  private readonly writer: SpanWriter;
  private readonly runtime: Runtime;
  private readonly conventions: Conventions;
  private readonly windowMs: number;
  private readonly finished: (request: Request, durationMs: number, failed: boolean) => void;
  private readonly draws = new Draws(0);
  private readonly attributeKeys = new Map<string, number>();

  constructor(
    system: SystemSpec,
    events: EventQueue,
    writer: SpanWriter,
    runtime: Runtime,
    windowMs: number,
    finished: (request: Request, durationMs: number, failed: boolean) => void,
  ) {
    this.system = system;
    this.events = events;
    this.writer = writer;
    this.runtime = runtime;
    this.windowMs = windowMs;
    this.finished = finished;
    this.conventions = new Conventions(system, writer);
    for (const { key } of system.requestAttributes) this.attributeKeys.set(key, writer.text(key));
  }

  arrive(request: Request): void {
    const { service, operation } = this.system.endpoints[request.endpoint]!;
    const instance = this.replica(service, request.key);
    this.serve(request, instance, service, operation, null, request.key, (outcome, startMs) => {
      const now = this.events.now;
      request.firstStartMs = startMs;
      request.lastEndMs = Math.max(request.lastEndMs, now);
      this.finished(request, now - startMs, outcome !== OK);
    });
  }

  /** A SERVER span: waits for a worker, runs the operation, sends the body. */
  private serve(
    request: Request,
    instance: Instance,
    service: string,
    operation: string,
    parent: OpenSpan | null,
    key: number,
    answered: (outcome: Outcome, startMs: number, bytes: number) => void,
  ): void {
    const spec = operationOf(instance.spec, operation);
    instance.workers.acquire(() => {
      const span = this.writer.start(parent?.trace ?? request.trace, parent, this.events.now);
      const end = (outcome: Outcome): void => {
        const bytes = this.bodyBytes(spec, key);
        const send = (): void => {
          const shape = this.conventions.server(service, operation);
          if (bytes > 0) this.writer.number(this.conventions.bodySize, Math.round(bytes));
          for (const { key: name, everywhere } of this.system.requestAttributes) {
            if (everywhere || parent === null)
              this.writer.string(this.attributeKeys.get(name)!, this.writer.text(request.attributes.get(name)!));
          }
          this.endSpan(span, instance, SpanKind.server, shape, outcome, key);
          instance.workers.release();
          answered(outcome, span.startMs, bytes);
        };
        const cpu = ((spec.body?.cpuMsPerKb ?? 0) * bytes) / 1024;
        if (cpu > 0) instance.compute(cpu, send);
        else send();
      };
      instance.resume(() => this.runList(spec.steps, 0, { request, instance, span, key, holds: "" }, end));
    });
  }

  private bodyBytes(spec: OperationSpec, key: number): number {
    return spec.body === undefined ? 0 : sample(spec.body.bytes, this.draws.seed(key, nameKey("body")));
  }

  private runList(steps: readonly Step[], from: number, frame: Frame, done: Done): void {
    const step = steps[from];
    if (step === undefined) return done(OK);
    this.run(step, frame, (outcome) => {
      if (outcome !== OK) done(outcome);
      else this.runList(steps, from + 1, frame, done);
    });
  }

  private run(step: Step, frame: Frame, done: Done): void {
    const draws = this.draws.seed(frame.key, step.id);
    const { instance } = frame;
    switch (step.kind) {
      case "compute":
        return instance.compute(sample(step.time, draws), () => done(OK));
      case "wait":
        return this.events.after(sample(step.time, draws), () => instance.resume(() => done(OK)));
      case "par":
        return this.runTogether(step.branches, step.join, frame, done);
      case "loop":
        return this.runLoop(step, Math.max(0, Math.round(sample(step.times, draws))), frame, done);
      case "maybe":
        return draws.chance(step.probability) ? this.runList(step.steps, 0, frame, done) : done(OK);
      case "any-order": {
        const branches = draws.chance(step.mixed) ? draws.shuffled(step.branches) : step.branches;
        return this.runList(branches.flat(), 0, frame, done);
      }
      case "when":
        return frame.request.attributes.get(step.key) === step.value
          ? this.runList(step.steps, 0, frame, done)
          : done(OK);
      case "span":
        return this.runSpan(step.name, step.steps, frame, done);
      case "lock":
        return this.runHolding(instance.lock(step.name), step.steps, frame, done);
      case "connection":
        return this.takeConnection(step.pool, frame, (release) => {
          this.runList(step.steps, 0, { ...frame, holds: step.pool }, (outcome) => {
            release();
            done(outcome);
          });
        });
      case "call":
        return this.runCall(step, 0, frame, done);
      case "db":
        return this.runStatement(step, frame, done);
      case "cached":
        return this.runCached(step, draws.chance(step.hitRatio), frame, done);
      case "external":
        return this.runExternal(step, frame, done);
      case "publish":
        return this.runPublish(step, frame, done);
      case "fail":
        return done(draws.chance(step.probability) ? step.status : OK);
      case "rescue":
        return this.runList(step.steps, 0, frame, (outcome) => {
          if (outcome === OK) done(OK);
          else this.runList(step.otherwise, 0, frame, done);
        });
    }
  }

  private runTogether(branches: readonly Step[][], join: "all" | "first", frame: Frame, done: Done): void {
    let left = branches.length;
    let failure: Outcome = OK;
    if (left === 0) return done(OK);
    for (const branch of branches) {
      this.runList(branch, 0, frame, (outcome) => {
        if (outcome !== OK) failure = outcome;
        left--;
        if (join === "first" && outcome === OK && left >= 0) {
          left = -1;
          done(OK);
        } else if (left === 0) done(failure);
      });
    }
  }

  private runLoop(step: Extract<Step, { kind: "loop" }>, times: number, frame: Frame, done: Done): void {
    let started = 0;
    let left = times;
    let failure: Outcome = OK;
    if (times === 0) return done(OK);
    const next = (): void => {
      if (started === times) return;
      const turn = started++;
      // the first turn draws what it would draw without the loop
      const key = turn === 0 ? frame.key : mixKey(mixKey(frame.key, step.id), turn);
      this.runList(step.steps, 0, { ...frame, key }, (outcome) => {
        if (outcome !== OK) failure = outcome;
        if (--left === 0) done(failure);
        else this.events.after(0, next);
      });
    };
    for (let i = 0; i < Math.min(step.width, times); i++) next();
  }

  private runSpan(name: string, steps: readonly Step[], frame: Frame, done: Done): void {
    const span = this.writer.start(frame.span.trace, frame.span, this.events.now);
    this.runList(steps, 0, { ...frame, span }, (outcome) => {
      this.endSpan(span, frame.instance, SpanKind.internal, this.conventions.internal(name), outcome, frame.key);
      done(outcome);
    });
  }

  private runHolding(permit: Semaphore, steps: readonly Step[], frame: Frame, done: Done): void {
    permit.acquire(() => {
      this.runList(steps, 0, frame, (outcome) => {
        permit.release();
        done(outcome);
      });
    });
  }

  /** One attempt is one CLIENT span; a failed one is followed by the next after its backoff. */
  private runCall(step: Extract<Step, { kind: "call" }>, attempt: number, frame: Frame, done: Done): void {
    const key = mixKey(mixKey(frame.key, step.id), attempt);
    const span = this.writer.start(frame.span.trace, frame.span, this.events.now);
    const shape = this.conventions.client(step.service, step.operation);
    let open = true;
    const end = (outcome: Outcome, bytes: number): void => {
      if (!open) return;
      open = false;
      frame.instance.resume(() => {
        if (outcome === TIMED_OUT) this.writer.string(this.conventions.errorType, this.conventions.timeoutText);
        if (bytes > 0) this.writer.number(this.conventions.bodySize, Math.round(bytes));
        this.endSpan(span, frame.instance, SpanKind.client, shape, outcome, key);
        if (outcome === OK || attempt >= step.retries) return done(outcome);
        const backoff = sample(step.backoff, this.draws.seed(key, nameKey("backoff")));
        this.events.after(backoff, () => frame.instance.resume(() => this.runCall(step, attempt + 1, frame, done)));
      });
    };
    if (step.timeoutMs > 0) this.events.after(step.timeoutMs, () => end(TIMED_OUT, 0));
    this.transmit(frame.instance.spec.name, step.service, key, 0, () => {
      const instance = this.replica(step.service, key);
      this.serve(frame.request, instance, step.service, step.operation, span, key, (outcome, _start, bytes) => {
        const wire = ((operationOf(instance.spec, step.operation).body?.wireMsPerKb ?? 0) * bytes) / 1024;
        this.transmit(frame.instance.spec.name, step.service, key, 1, () =>
          this.events.after(wire, () => end(outcome, bytes)),
        );
      });
    });
  }

  /** The way between two processes; `leg` 0 is the request, 1 the response. */
  private transmit(from: string, to: string, key: number, leg: number, arrived: () => void): void {
    const draws = this.draws.seed(key, 7 + leg);
    const extra = this.system.edgeDelay[`${from}>${to}`];
    const usual = sample(this.system.network, draws);
    this.events.after(usual + (extra === undefined ? 0 : sample(extra, draws)), arrived);
  }

  private takeConnection(pool: string, frame: Frame, taken: (release: () => void) => void): void {
    const permits = frame.instance.pools.get(pool);
    if (permits === undefined || frame.holds === pool) return taken(() => {});
    const start = this.events.now;
    const span = frame.instance.spec.pools[pool]!.spans ? this.writer.start(frame.span.trace, frame.span, start) : null;
    permits.acquire(() =>
      frame.instance.resume(() => {
        if (span !== null)
          this.endSpan(span, frame.instance, SpanKind.client, this.conventions.poolConnect(pool), OK, frame.key);
        taken(() => permits.release());
      }),
    );
  }

  private runStatement(step: Extract<Step, { kind: "db" }>, frame: Frame, done: Done): void {
    const draws = this.draws;
    const key = mixKey(frame.key, step.id);
    const rows = step.rows === undefined ? -1 : Math.round(sample(step.rows.count, draws.seed(key, 4)));
    this.takeConnection(step.database, frame, (release) => {
      const span = this.writer.start(frame.span.trace, frame.span, this.events.now);
      const growth = 1 + (step.growsTo - 1) * Math.min(1, this.events.now / this.windowMs);
      const time =
        sample(step.time, draws.seed(frame.key, step.id)) * growth + Math.max(0, rows) * (step.rows?.msPerRow ?? 0);
      const database = this.runtime.databases.get(step.database)!;
      const end = (): void => {
        this.events.after(2 * sample(this.system.network, draws.seed(key, 3)), () =>
          frame.instance.resume(() => {
            if (rows >= 0) this.writer.number(this.conventions.returnedRows, rows);
            if (this.system.telemetry.literals) {
              this.writer.string(
                this.writer.text(this.conventions.statementKey),
                this.writer.text(withLiterals(step.statement, draws.seed(key, IDENTIFIER))),
              );
            }
            this.endSpan(
              span,
              frame.instance,
              SpanKind.client,
              this.conventions.statement(step.database, step.statement),
              OK,
              key,
            );
            release();
            done(OK);
          }),
        );
      };
      if (step.rowLock === undefined) return database.station.request(time, end);
      const { name, commit } = step.rowLock;
      let lock = database.rowLocks.get(name);
      if (lock === undefined) database.rowLocks.set(name, (lock = new Semaphore(this.events, 1)));
      const held = lock;
      held.acquire(() =>
        database.station.request(time, () => {
          // the transaction commits a little later: the row stays locked until then
          this.events.after(sample(commit, draws.seed(key, 5)), () => held.release());
          end();
        }),
      );
    });
  }

  private runCached(step: Extract<Step, { kind: "cached" }>, hit: boolean, frame: Frame, done: Done): void {
    const span = this.writer.start(frame.span.trace, frame.span, this.events.now);
    const key = mixKey(frame.key, step.id);
    const time = sample(step.time, this.draws.seed(key, 1));
    this.runtime.databases.get(step.cache)!.station.request(time, () =>
      this.events.after(2 * sample(this.system.network, this.draws.seed(key, 2)), () =>
        frame.instance.resume(() => {
          this.endSpan(span, frame.instance, SpanKind.client, this.conventions.cacheGet(step.cache, step.key), OK, key);
          if (hit) done(OK);
          else this.runList(step.steps, 0, frame, done);
        }),
      ),
    );
  }

  private runExternal(step: Extract<Step, { kind: "external" }>, frame: Frame, done: Done): void {
    const span = this.writer.start(frame.span.trace, frame.span, this.events.now);
    const time = sample(step.time, this.draws);
    const timedOut = step.timeoutMs > 0 && time > step.timeoutMs;
    const failed = this.draws.chance(step.failure);
    const outcome = timedOut ? TIMED_OUT : failed ? 503 : OK;
    this.events.after(timedOut ? step.timeoutMs : time, () =>
      frame.instance.resume(() => {
        if (timedOut) this.writer.string(this.conventions.errorType, this.conventions.timeoutText);
        const shape = this.conventions.external(step.address, step.method, step.path);
        this.endSpan(span, frame.instance, SpanKind.client, shape, outcome, mixKey(frame.key, step.id));
        done(outcome);
      }),
    );
  }

  private runPublish(step: Extract<Step, { kind: "publish" }>, frame: Frame, done: Done): void {
    const span = this.writer.start(frame.span.trace, frame.span, this.events.now);
    const time = sample(step.time, this.draws);
    const key = mixKey(frame.key, step.id);
    this.events.after(time, () => {
      this.consume(step.queue, frame.request, span, key);
      frame.instance.resume(() => {
        this.endSpan(span, frame.instance, SpanKind.producer, this.conventions.producer(step.queue), OK, key);
        done(OK);
      });
    });
  }

  private consume(queue: string, request: Request, producer: OpenSpan, key: number): void {
    const consumers = this.runtime.consumers.get(queue)!;
    const service = serviceOf(this.system, queueOf(this.system, queue).consumer);
    consumers.acquire(() => {
      const instance = this.replica(service.name, key);
      const linked = this.system.telemetry.consumerIs === "linked";
      const trace = linked ? this.writer.newTrace(request.trace.sampled) : request.trace;
      const span = this.writer.start(trace, linked ? null : producer, this.events.now);
      const { steps } = operationOf(service, `process ${queue}`);
      this.runList(steps, 0, { request, instance, span, key: mixKey(key, 1), holds: "" }, (outcome) => {
        const shape = this.conventions.consumer(queue);
        this.endSpan(span, instance, SpanKind.consumer, shape, outcome, key, linked ? producer : null);
        request.lastEndMs = Math.max(request.lastEndMs, this.events.now);
        consumers.release();
      });
    });
  }

  private replica(service: string, key: number): Instance {
    const instances = this.runtime.instances.get(service)!;
    return instances[Math.floor(this.draws.seed(key, REPLICA).uniform() * instances.length)]!;
  }

  private endSpan(
    span: OpenSpan,
    instance: Instance,
    kind: SpanKind,
    shape: SpanShape,
    outcome: Outcome,
    key: number,
    link: OpenSpan | null = null,
  ): void {
    const { writer } = this;
    if (shape.urlKey !== 0) {
      const url = shape.urlPattern.includes("{id}")
        ? shape.urlPattern.replace("{id}", String(this.draws.seed(key, IDENTIFIER).whole(1, 9999)))
        : shape.urlPattern;
      writer.string(shape.urlKey, writer.text(url));
    }
    // a call that was cut off never saw a status
    if (shape.statusKey !== 0 && !(outcome === TIMED_OUT && kind === SpanKind.client)) {
      writer.number(shape.statusKey, shape.grpc ? (outcome === OK ? 0 : 13) : outcome === OK ? 200 : outcome);
    }
    const status = outcome === OK ? SpanStatus.unset : SpanStatus.error;
    writer.end(span, instance.origin, kind, shape.name, this.events.now, status, shape.template, link);
  }
}

/** The statement with a number for every `$n`. */
const withLiterals = (statement: string, draws: Draws): string =>
  statement.replace(/\$\d+/g, () => String(draws.whole(1, 50_000)));
