import { Command, InvalidArgumentError, Option } from "commander";
import { parseObjective, type Objective } from "../engine/objective.ts";
import { SEVERITIES } from "../model/report.ts";
import { agent } from "./commands/agent.ts";
import { analyze } from "./commands/analyze.ts";
import { changepoints } from "./commands/changepoints.ts";
import { compareRecordings } from "./commands/compare.ts";
import { demo } from "./commands/demo.ts";
import { diagnose } from "./commands/diagnose.ts";
import { mcp } from "./commands/mcp.ts";
import { printCriticalPaths } from "./commands/critical-path.ts";
import { doctor } from "./commands/doctor.ts";
import { flame } from "./commands/flame.ts";
import { ramp, type RampObjective } from "./commands/ramp.ts";
import { up } from "./commands/up.ts";
import { record } from "./commands/record.ts";
import { trace } from "./commands/trace.ts";
import { fitScalability } from "./commands/usl.ts";
import { predictChanges } from "./commands/what-if.ts";
import { packageJson } from "./package-json.ts";
import { safeText } from "./render/safe-text.ts";
import type { Terminal } from "./terminal.ts";

/** The grammar of the command line. `done` gets the exit code of a command that ran to its end. */
export function longpole(terminal: Terminal, done: (exitCode: number) => void): Command {
  const program = new Command("longpole")
    .description("Reads recorded traces of a slow system and says what to fix first, and what p99 that would bring.")
    .version(packageJson().version, "-V, --version")
    .configureOutput({
      writeOut: terminal.out,
      writeErr: terminal.err,
      outputError: (text, write) => write(asOurs(text)),
    })
    .exitOverride()
    .showSuggestionAfterError(true)
    .addHelpText("after", pasteable(EXIT_CODES, terminal));

  common(program.command("analyze"))
    .description("Print a ranked diagnosis of recorded traces, and of profiles of their services.")
    .argument("<files...>", "recordings or folders of them; - for standard input")
    .option("--baseline <files...>", "recordings of better times, to compare with")
    .option("--service <name>", "the service of the profiles among the files, where their names don't tell")
    .option("--html <file>", "write the report as one page to look into, for a browser, too")
    .option("--endpoint <text>", 'only endpoints with this in "SERVICE OPERATION", in any case')
    .addOption(
      new Option("--fail-on <severity>", "exit with code 1 at findings of this severity or worse")
        .choices(SEVERITIES)
        .env("LONGPOLE_FAIL_ON"),
    )
    .option("--objective <text>", 'what is fast enough: "[SERVICE] OPERATION p99 < 300ms"; may be repeated', objective)
    .addHelpText("after", pasteable(EXAMPLES.analyze, terminal))
    .action(async (files: string[], options) => done(await analyze(files, options, terminal)));

  common(program.command("up"), "where it listens as one JSON document on standard output")
    .description("Receive telemetry (OTLP), keep it, and answer what is slow, until Ctrl-C.")
    .option("--data <folder>", "where data is kept (default: longpole-data)")
    .option("--clickhouse <url>", "a ClickHouse instead of the embedded one; may be repeated for a cluster", repeated)
    .option("--config <file>", "configuration (default: longpole.yaml, where it exists)")
    .option("--host <address>", "listen there instead of 127.0.0.1")
    .option("--port <n>", "port of the API (default: 7077); 0 takes a free one", port)
    .option("--grpc-port <n>", "port of OTLP/gRPC (default: 4317)", port)
    .option("--http-port <n>", "port of OTLP/HTTP (default: 4318)", port)
    .option("--token-file <file>", "tokens that callers need, one a line")
    .option("--objective <text>", 'what is fast enough: "[SERVICE] OPERATION p99 < 300ms"; may be repeated', objective)
    .addHelpText("after", pasteable(EXAMPLES.up, terminal))
    .action(async (options) => done(await up(options, terminal)));

  common(program.command("agent"), "what it does as one JSON document on standard output")
    .description("Tell of this host: counters of the machine, its processes and containers, sent as OTLP until Ctrl-C.")
    .option("--endpoint <url>", "where OTLP over HTTP is taken (default: http://127.0.0.1:4318)")
    .option("--interval <time>", "how often, as 10s or 500ms (default: 10s)", interval)
    .option("--hz <n>", "samples of the processor per second", hertz, 19)
    .option("--profile-interval <time>", "how often profiles are sent", interval, 30_000)
    .option("--no-probes", "counters alone: nothing is attached to the kernel")
    .option("--postgres <url>", "a PostgreSQL database to look into; may be repeated", repeated)
    .option("--postgres-plans", "ask these databases for plans of slow statements, too")
    .option(
      "--user <name>",
      "whom it becomes when root starts it (default: longpole-agent, else nobody); root to stay root",
    )
    .option("--queue <folder>", "where requests wait while nobody takes them")
    .option("--queue-size <size>", "how much may wait there, the oldest goes first", bytes, 256 * 2 ** 20)
    .option("--cpu-budget <share>", "of one core, as 1%: beyond it the agent gives up what costs most", share, 0.01)
    .option("--memory-budget <size>", "as 250MB: beyond it likewise", bytes, 250e6)
    .addHelpText("after", pasteable(EXAMPLES.agent, terminal))
    .action(async (options) => done(await agent(options, terminal)));

  live(common(program.command("diagnose")))
    .description("Print a ranked diagnosis of what a running Longpole received lately.")
    .option("--endpoint <text>", 'only endpoints with this in "SERVICE OPERATION", in any case')
    .option(
      "--baseline <when>",
      "compare with: auto (before the last rise, default), none, a duration as 1h (so much earlier), FROM/TO",
    )
    .addOption(
      new Option("--html <file>", "write the report as one page to look into, for a browser, too").conflicts("watch"),
    )
    .option("--watch", "again and again, redrawn when the answer changes")
    .option("--every <seconds>", "how often with --watch", wholeNumber, 10)
    .addOption(
      new Option("--fail-on <severity>", "exit with code 1 at findings of this severity or worse")
        .choices(SEVERITIES)
        .env("LONGPOLE_FAIL_ON"),
    )
    .option("--objective <text>", 'what is fast enough: "[SERVICE] OPERATION p99 < 300ms"; may be repeated', objective)
    .addHelpText("after", pasteable(EXAMPLES.diagnose, terminal))
    .action(async (options) => done(await diagnose(options, terminal)));

  program
    .command("mcp")
    .description("Answer an assistant: Model Context Protocol on standard input and output, until the input ends.")
    .addHelpText("after", pasteable(EXAMPLES.mcp, terminal))
    .action(async () => done(await mcp(terminal)));

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
    .action(async (options) => done(await demo(options, terminal)));

  common(program.command("compare"))
    .description("Hold a new recording against a baseline: what became worse, what better.")
    .argument("<baseline>", "recording or folder of better times")
    .argument("<new>", "recording or folder to judge")
    .addOption(new Option("--fail-on <what>", "exit with code 1 when an endpoint is worse").choices(["regression"]))
    .option("--threshold <change>", "smallest relative change that counts, as 5% or 0.05", share, 0.05)
    .addHelpText("after", pasteable(EXAMPLES.compare, terminal))
    .action(async (before: string, now: string, options) =>
      done(await compareRecordings(before, now, options, terminal)),
    );

  window(common(program.command("what-if")))
    .description("Predict p50, p95 and p99 of every endpoint under changes.")
    .argument("[files...]", "recordings or folders of them; - for standard input")
    .option("--url <url>", "instead of files: what the running server there received")
    .addOption(
      new Option("--change <spec>", "a change to try; may be repeated, all happen together")
        .argParser((spec: string, before: string[] | undefined) => [...(before ?? []), spec])
        .makeOptionMandatory(),
    )
    .addHelpText("after", pasteable(EXAMPLES["what-if"], terminal))
    .action(async (files: string[], options) => done(await predictChanges(files, options, terminal)));

  common(program.command("critical-path"), "one JSON object per trace and line on standard output")
    .description(
      "Print what each trace waited for from beginning to end, its critical path: the slowest, or with --json all.",
    )
    .argument("<files...>", "recordings or folders of them; - for standard input")
    .addOption(
      new Option(
        "--rule <rule>",
        "longpole: by the whole call tree, allowing for coarse clocks; jaeger: as the Jaeger UI draws it",
      )
        .choices(["longpole", "jaeger"])
        .default("longpole"),
    )
    .option("--limit <traces>", "how many traces to print (default: 10, with --json all)", wholeNumber)
    .addHelpText("after", pasteable(EXAMPLES["critical-path"], terminal))
    .action(async (files: string[], options) => done(await printCriticalPaths(files, options, terminal)));

  common(program.command("flame"))
    .description("Show where profiles spend their time, or make other formats of them.")
    .argument("<files...>", "profiles, folders or http addresses of them; - for standard input")
    .addOption(new Option("--folded", "folded stacks on standard output").conflicts(["pprof", "html", "json"]))
    .addOption(new Option("--pprof", "pprof (gzip) on standard output").conflicts(["html", "json"]))
    .addOption(new Option("--html <file>", "a flame graph as one page that loads nothing").conflicts("json"))
    .option("--diff <base>", "profile or folder of them from before, to compare with")
    .option("--value <type>", "what to look at where a profile counts several things, such as alloc_space")
    .option("--annotate", "mark kernel frames _[k] and compiled ones _[j] in folded stacks")
    .addHelpText("after", pasteable(EXAMPLES.flame, terminal))
    .action(async (files: string[], options) => done(await flame(files, options, terminal)));

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
    .action(async (words: string[], options) => done(await record(words, options, terminal)));

  common(program.command("trace"))
    .description("Watch one kind of event on this host: latencies as a histogram over time, by bpftrace.")
    .argument("[probe]", "a name of --list, syscall:NAME, uprobe:/PATH:FUNCTION, or a bpftrace program in braces")
    .option("-p, --pid <pid>", "only this process", wholeNumber)
    .option("--seconds <n>", "how long, whole seconds", wholeNumber, 10)
    .option("--max-hits <n>", "hits a second from which on the probe takes itself off", wholeNumber)
    .option("--list", "name the ready probes")
    .addHelpText("after", pasteable(EXAMPLES.trace, terminal))
    .action(async (probe: string | undefined, options) => done(await trace(probe, options, terminal)));

  common(program.command("doctor"))
    .description("Say what this host lets be collected, why not more, and the command that mends it.")
    .addHelpText("after", pasteable(EXAMPLES.doctor, terminal))
    .action((options) => done(doctor(options, terminal)));

  common(program.command("changepoints"))
    .description("Find where a series of time,value rows (CSV) changed its level.")
    .argument("<file>", "CSV with or without a header row; - for standard input")
    .option("--p <probability>", "accepted chance that mere noise shows a change", probability, 0.05)
    .addHelpText("after", pasteable(EXAMPLES.changepoints, terminal))
    .action(async (file: string, options) => done(await changepoints(file, options, terminal)));

  common(program.command("usl"))
    .description("Fit the Universal Scalability Law to load,throughput rows (CSV): where more load stops to help.")
    .argument("<file>", "CSV with or without a header row; - for standard input")
    .addHelpText("after", pasteable(EXAMPLES.usl, terminal))
    .action(async (file: string, options) => done(await fitScalability(file, options, terminal)));

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
    .action(async (url: string, options) => done(await ramp(url, options, terminal)));
  return program;
}

/** The options that every command has. */
function common(command: Command, json = "one JSON document on standard output"): Command {
  return command
    .option("--json", json)
    .option("--no-color", "no colours (also: NO_COLOR)")
    .option("--ascii", "only ASCII characters")
    .addOption(new Option("--width <columns>", "width of the output").argParser(width).env("LONGPOLE_WIDTH"))
    .option("-q, --quiet", "no progress and no remarks on standard error");
}

/** The options of commands that ask a running server. */
function live(command: Command): Command {
  return window(command).addOption(
    new Option("--url <url>", "the server's API").default("http://127.0.0.1:7077").env("LONGPOLE_URL"),
  );
}

/** Which time of what a server received. */
function window(command: Command): Command {
  return command
    .option("--token-file <file>", "the server's token; or LONGPOLE_TOKEN")
    .option("--last <duration>", "the time up to now, as 90s, 15m, 12h or 7d (default: 15m)", lastOf)
    .option("--from <time>", "instead of --last: start, as 2026-01-31T12:00:00Z")
    .option("--to <time>", "end, written like --from (default: now)");
}

function lastOf(text: string): string {
  if (!/^\d+(\.\d+)?[smhd]$/.test(text)) throw new InvalidArgumentError("Expected a duration as 90s, 15m, 12h or 7d.");
  return text;
}

const repeated = (text: string, before: readonly string[] | undefined): string[] => [...(before ?? []), text];

function port(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError("Expected a port, 0 to 65535.");
  return value;
}

/** Examples call Longpole by a name of its own; here it has the one by which this process was started. */
const pasteable = (text: string, { command }: Terminal): string =>
  text.replace(/(?<=^ {2}|\| |Try: )longpole(?= )/gm, command);

/** Commander's message, which quotes what was typed (perhaps by a script that took it from elsewhere), safe line by line. */
const asOurs = (text: string): string =>
  text
    .replace(/^error: /, "longpole: ")
    .split("\n")
    .map((line) => safeText(line))
    .join("\n");

function width(text: string): number {
  const columns = Number(text);
  if (!Number.isInteger(columns) || columns < 60 || columns > 1000) {
    throw new InvalidArgumentError("Expected a whole number of columns between 60 and 1000.");
  }
  return columns;
}

function objective(text: string, before: readonly Objective[] | undefined): Objective[] {
  const parsed = parseObjective(text);
  if (parsed.kind === "objective") return [...(before ?? []), parsed];
  const found = parsed.part === "" ? "" : `, found "${parsed.part}"`;
  throw new InvalidArgumentError(`Expected ${parsed.expected}${found}.`);
}

/** "5%", "5 %" or "0.05". */
function share(text: string): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+)\s*(%?)$/.exec(text.trim());
  const value = match === null ? Number.NaN : Number(match[1]) / (match[2] === "%" ? 100 : 1);
  // Without a sign, 5 would mean 500 %: nobody does.
  if (!(value >= 0 && value < 1)) throw new InvalidArgumentError("Expected a share below 1, as 5% or 0.05.");
  return value;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("Expected a whole number above zero.");
  return value;
}

/** Ten minutes are the most that the load generator runs at one go. */
function seconds(text: string): number {
  const value = Number(text);
  if (!(value >= 5 && value <= 600)) throw new InvalidArgumentError("Expected seconds between 5 and 600.");
  return value;
}

/** Milliseconds. */
function interval(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text.trim());
  const value = Number(match?.[1]) * { ms: 1, s: 1000, m: 60_000 }[(match?.[2] ?? "s") as "ms" | "s" | "m"];
  if (!(value >= 100 && value <= 3_600_000))
    throw new InvalidArgumentError("Expected a time between 100ms and 60m, as 10s.");
  return value;
}

const SIZES: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
};

function bytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]i?)?b?$/i.exec(text.trim());
  const value = match === null ? Number.NaN : Number(match[1]) * SIZES[match[2]?.toLowerCase() ?? ""]!;
  if (!(value >= 1)) throw new InvalidArgumentError("Expected a size, as 250MB or 1GiB.");
  return value;
}

function recordSeconds(text: string): number {
  const value = Number(text);
  if (!(value >= 0.1 && value <= 3600)) throw new InvalidArgumentError("Expected seconds between 0.1 and 3600.");
  return value;
}

function hertz(text: string): number {
  const value = Number(text);
  if (!(Number.isInteger(value) && value >= 1 && value <= 999))
    throw new InvalidArgumentError("Expected a whole number between 1 and 999.");
  return value;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 5000)) throw new InvalidArgumentError("Expected a number above 0, at most 5000.");
  return value;
}

/** More than one process can send, so that a slip of the finger does not fill the memory with requests. */
const MOST_PER_SECOND = 20_000;

function rate(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= MOST_PER_SECOND))
    throw new InvalidArgumentError(`Expected a number above 0, at most ${MOST_PER_SECOND}.`);
  return value;
}

function rampStep(text: string): { kind: "times" | "plus"; by: number } {
  const match = /^([x+])(\d+(?:\.\d+)?)$/.exec(text.trim());
  const by = Number(match?.[2]);
  const kind = match?.[1] === "x" ? "times" : "plus";
  if (!(kind === "times" ? by > 1 && by <= 10 : by > 0 && by <= MOST_PER_SECOND))
    throw new InvalidArgumentError("Expected x and a factor above 1 and up to 10, or + and a rate: x2, +50.");
  return { kind, by };
}

/** Ten stretches of a step are compared; below some seconds chance is all there is in them. */
function stepSeconds(text: string): number {
  const value = Number(text);
  if (!(value >= 1 && value <= 600)) throw new InvalidArgumentError("Expected seconds between 1 and 600.");
  return value;
}

function warmUp(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 600))
    throw new InvalidArgumentError("Expected seconds between 0 and 600.");
  return value;
}

/** The limit of a percentile as in `objective`; there is one endpoint, so it has no name. */
function rampObjective(text: string): RampObjective {
  const parsed = parseObjective(`load ${text}`);
  if (parsed.kind !== "objective" || parsed.endpoint !== "load")
    throw new InvalidArgumentError("Expected p50, p95 or p99 below a time, as p99 < 300ms.");
  return { text: text.trim(), metric: parsed.metric, limitMs: parsed.limitMs };
}

function probability(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0 && value < 1))
    throw new InvalidArgumentError("Expected a number between 0 and 1.");
  return value;
}

const EXIT_CODES = `
Exit codes: 0 done, nothing at or above --fail-on; 1 something at or above it;
2 wrong usage or unreadable input; 3 too little data to tell.

What the words and figures of a report mean: docs/reading-a-report.md

Try: longpole analyze examples/missing-index/fault/traces.otlp.pb.gz`;

const EXAMPLES = {
  analyze: `
Examples:
  longpole analyze examples/missing-index/fault/traces.otlp.pb.gz
  longpole analyze examples/small-pool/fault --baseline examples/small-pool/fixed --fail-on warning
  longpole analyze examples/small-pool/fault --objective 'GET /api/orders/:id p99 < 50ms'`,
  up: `
Examples:
  longpole up
  longpole up --data /var/lib/longpole --config longpole.yaml
  longpole up --clickhouse http://clickhouse-1:8123 --clickhouse http://clickhouse-2:8123`,
  agent: `
Needs nothing but /proc; what it can see besides, and what would add to it: longpole doctor
OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _TIMEOUT, _COMPRESSION and _CERTIFICATE are honoured.

Examples:
  longpole agent
  longpole agent --endpoint https://telemetry.example.org:4318 --interval 30s`,
  mcp: `
Tools: diagnose and trace (of a running server: LONGPOLE_URL, LONGPOLE_TOKEN), analyze and trace (of files), what_if (of both).

Example, as a client's configuration:
  { "mcpServers": { "longpole": { "command": "longpole", "args": ["mcp"] } } }

Example, by hand:
  printf '%s\\n' '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' | longpole mcp`,
  diagnose: `
Examples:
  longpole diagnose
  longpole diagnose --last 1h --endpoint /orders --fail-on critical
  longpole diagnose --watch --objective 'GET /orders p99 < 300ms'`,
  demo: `
Examples:
  longpole demo
  longpole demo --fault hungry-ingest --fix
  longpole demo --fault small-pool --record recordings/small-pool
  longpole demo --fault missing-index --no-ui
  longpole demo --list`,
  compare: `
Examples:
  longpole compare examples/healthy/calm examples/healthy/calm
  longpole compare examples/missing-index/fixed examples/missing-index/fault --fail-on regression --threshold 10%`,
  "what-if": `
Changes:
  service=S,operation=OP,time=F      OP's own work (of a call: the callee's) takes F times as long
  service=S,operation=CALL,remove    the call is no longer made
  service=S,operation=CALL,cache=H   a share H of the calls is no longer made
  service=S,operation=CALL,batch     a loop of the call becomes one call
  service=S,operation=OP,parallel    OP's calls that don't need each other run together
  service=S,operation=OP,retries=N   at most N retries; timeout=MS cuts the calls
  service=S,pool:NAME=N              N connections per instance of S in its pool towards NAME
  service=S,replicas=N               N instances of S, each with its own host, threads and pools
  service=S,cpu=N                    N cores per instance of S
  host=H,without=S                   S no longer shares the host H

Example:
  longpole what-if examples/missing-index/fault/traces.otlp.pb.gz \\
    --change 'service=orders,operation=pg.query:SELECT shop,time=0.1'`,
  "critical-path": `
Example:
  longpole critical-path examples/missing-index/fault/traces.otlp.pb.gz --limit 3
  longpole critical-path examples/missing-index/fault/traces.otlp.pb.gz --json | head -1`,
  flame: `
Reads OTLP profiles, pprof, JFR, .cpuprofile, .heapprofile, folded stacks and the output of perf script.

Example:
  printf 'main;parse 7\\nmain;write 3\\n' | longpole flame -
  printf 'main;parse 7\\nmain;write 3\\n' | longpole flame - --html /tmp/flame.html`,
  record: `
Any language, no server. What this host lets be seen: longpole doctor

Examples:
  longpole record --seconds 5 -- sh -c 'dd if=/dev/zero of=/tmp/x bs=4k count=2000 oflag=dsync'
  longpole record -p "$(pgrep -n node)" --off-cpu --seconds 5 --html /tmp/waits.html`,
  trace: `
Examples:
  longpole trace --list
  longpole trace fsync --seconds 5
  longpole trace 'tracepoint:syscalls:sys_enter_openat { @[comm] = count(); }'`,
  doctor: `
Attaches probes for a moment and takes them off again. LONGPOLE_PROBE names a helper that stands elsewhere.

Example:
  longpole doctor --json`,
  changepoints: `
Example:
  printf '1,10\\n2,11\\n3,10\\n4,11\\n5,10\\n6,20\\n7,21\\n8,20\\n9,21\\n10,20\\n' | longpole changepoints -`,
  ramp: `
Load goes to this machine only, unless --allow-remote names another host.
Latency is counted from the moment at which a request was due, so that a server that stalls cannot hide it.

Examples:
  longpole ramp http://127.0.0.1:8080/orders
  longpole ramp http://127.0.0.1:8080/orders --objective 'p99 < 300ms' --start 50 --step +50 --max 1000
  longpole ramp http://127.0.0.1:8080/orders --receive 4318 --record knee
  printf '3 /orders\\n1 POST /orders/recount\\n' | longpole ramp http://127.0.0.1:8080/ --urls -`,
  usl: `
Example:
  printf '1,65\\n18,996\\n36,1652\\n72,1853\\n108,1829\\n144,1775\\n216,1702\\n' | longpole usl -`,
} as const;
