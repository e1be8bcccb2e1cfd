import { Option } from "commander";
import { SEVERITIES } from "../../model/report.ts";
import { EXAMPLES } from "./examples.ts";
import { type AddCommand, common, pasteable } from "./options.ts";
import {
  hertz,
  port,
  positive,
  rampObjective,
  rampStep,
  rate,
  recordSeconds,
  repeated,
  seconds,
  share,
  stepSeconds,
  warmUp,
  wholeNumber,
} from "./quantities.ts";

const addRecord: AddCommand = (program, terminal, done) => {
  common(program.command("record"))
    .description(
      "Record where the threads of a process spend their time, on and off the processor, in its code and in the kernel.",
    )
    .argument("[command...]", "behind --: a command to start and record; its output goes to standard error")
    .option("-p, --pid <pid>", "a process that runs already", wholeNumber)
    .option(
      "--inspect",
      "of a Node.js process: open its inspector, take V8's own profile with source lines, and close it again",
    )
    .option("--seconds <n>", "how long at most; a command that still runs then is ended", recordSeconds, 30)
    .option("--off-cpu", "flame graphs and stacks of the time off the processor")
    .option("--hz <n>", "samples of the processor per second", hertz, 99)
    .addOption(new Option("--folded", "folded stacks on standard output").conflicts(["pprof", "json"]))
    .addOption(new Option("--pprof", "pprof (gzip) on standard output, both kinds of time").conflicts("json"))
    .option("--html <file>", "a flame graph as one page that loads nothing, besides")
    .addOption(
      new Option("--fail-on <severity>", "exit with code 1 at findings of this severity or worse").choices(SEVERITIES),
    )
    .addHelpText("after", pasteable(EXAMPLES.record, terminal))
    .action(async (words: string[], options) => {
      const { record } = await import("../commands/record.ts");
      done(await record(words, options, terminal));
    });
};

const addTrace: AddCommand = (program, terminal, done) => {
  common(program.command("trace"))
    .description("Watch one kind of event on this host: latencies as a histogram over time, by bpftrace.")
    .argument("[probe]", "a name of --list, syscall:NAME, uprobe:/PATH:FUNCTION, or a bpftrace program in braces")
    .option("-p, --pid <pid>", "only this process", wholeNumber)
    .option("--seconds <n>", "how long, whole seconds", wholeNumber, 10)
    .option("--max-hits <n>", "hits a second from which on the probe takes itself off", wholeNumber)
    .option("--list", "name the ready probes")
    .addHelpText("after", pasteable(EXAMPLES.trace, terminal))
    .action(async (probe: string | undefined, options) => {
      const { trace } = await import("../commands/trace.ts");
      done(await trace(probe, options, terminal));
    });
};

const addDoctor: AddCommand = (program, terminal, done) => {
  common(program.command("doctor"))
    .description("Say what this host lets be collected, why not more, and the command that mends it.")
    .addHelpText("after", pasteable(EXAMPLES.doctor, terminal))
    .action(async (options) => {
      const { doctor } = await import("../commands/doctor.ts");
      done(doctor(options, terminal));
    });
};

const addDemo: AddCommand = (program, terminal, done) => {
  common(program.command("demo"))
    .description("Start a real sample system with a fault and a PostgreSQL of its own, diagnose it, and end it again.")
    .option("--fault <name>", "which fault", "database-doubled")
    .option("--list", "name the faults")
    .option("--fix", "apply the fix, measure again, and hold the prediction against it")
    .option("--ui", "a server beside it, with the web UI; both stay until Ctrl-C (default: on a terminal)")
    .option("--no-ui", "end when the diagnosis is printed")
    .option("--record <folder>", "keep what was recorded: traces, metrics, profiles, load and truth")
    .option("--postgres", "look into its PostgreSQL as well: statements, waits, locks, scans (docs/databases.md)")
    .option("--seconds <n>", "seconds under load in each phase (default: the fault's own, mostly 20)", seconds)
    .option("--rate <n>", "requests per second (default: the fault's own, mostly 40)", positive)
    .addOption(new Option("--seed <n>", "same seed, same requests").argParser(wholeNumber).default(1))
    .addOption(
      new Option("--fail-on <severity>", "exit with code 1 at findings of this severity or worse").choices(SEVERITIES),
    )
    .addHelpText("after", pasteable(EXAMPLES.demo, terminal))
    .action(async (options) => {
      const { demo } = await import("../commands/demo.ts");
      done(await demo(options, terminal));
    });
};

const addRamp: AddCommand = (program, terminal, done) => {
  common(program.command("ramp"))
    .description(
      "Put open-loop load on a URL of this machine, in steps until it is too much: what it sustains, and what limits.",
    )
    .argument("<url>", "http or https, with path")
    .option("--method <name>", "method of the request (default: GET, POST with --body)")
    .option("--header <line>", '"Name: value"; may be repeated', repeated)
    .option("--body <file>", "what is sent with each request; - for standard input")
    .option("--urls <file>", "requests instead of one, a line each: [WEIGHT] [METHOD] PATH; - for standard input")
    .addOption(new Option("--start <rate>", "requests per second of the first step").argParser(rate).default(10))
    .addOption(
      new Option("--step <by>", "the next rate: x2 is twice the last, +50 is 50 more")
        .argParser(rampStep)
        .default({ kind: "times", by: 2 }, "x2"),
    )
    .option("--max <rate>", "no more requests per second than this", rate)
    .addOption(
      new Option("--step-seconds <n>", "length of a step; the first fifth of it settles and does not count")
        .argParser(stepSeconds)
        .default(5),
    )
    .addOption(
      new Option("--warmup <seconds>", "under the first rate, before anything counts").argParser(warmUp).default(3),
    )
    .addOption(
      new Option("--connections <n>", "most connections at the same time").argParser(wholeNumber).default(1000),
    )
    .addOption(new Option("--timeout <seconds>", "longest wait for an answer").argParser(rate).default(10))
    .option("--objective <text>", 'what is fast enough: "p99 < 300ms"', rampObjective)
    .addOption(
      new Option("--max-errors <share>", "share of requests that may fail").argParser(share).default(0.01, "1%"),
    )
    .addOption(
      new Option("--budget <seconds>", "no step begins that would end later").argParser(wholeNumber).default(300),
    )
    .addOption(
      new Option("--arrivals <kind>", "poisson: as users come who know nothing of each other; constant: evenly")
        .choices(["poisson", "constant"])
        .default("poisson"),
    )
    .addOption(new Option("--seed <n>", "same seed, same moments").argParser(wholeNumber).default(1))
    .addOption(
      new Option("--receive [port]", "takes what the services send meanwhile (OTLP over HTTP), to name what limits")
        .argParser(port)
        .preset("4318"),
    )
    .option("--record <folder>", "keeps traces and metrics at the knee, and at about half of it")
    .option("--allow-remote <host>", "a host that is not this machine, whose owner agrees to the load")
    .addHelpText("after", pasteable(EXAMPLES.ramp, terminal))
    .action(async (url: string, options) => {
      const { ramp } = await import("../commands/ramp.ts");
      done(await ramp(url, options, terminal));
    });
};

/** Commands that look at this machine, or put load on it. */
export const HOST_COMMANDS: readonly AddCommand[] = [addRecord, addTrace, addDoctor, addDemo, addRamp];
