import { Option } from "commander";
import { SEVERITIES } from "../../model/report.ts";
import { EXAMPLES } from "./examples.ts";
import { type AddCommand, common, live, pasteable } from "./options.ts";
import { bytes, hertz, interval, objective, port, repeated, share, wholeNumber } from "./quantities.ts";

const addUp: AddCommand = (program, terminal, done) => {
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
    .action(async (options) => {
      const { up } = await import("../commands/up.ts");
      done(await up(options, terminal));
    });
};

const addDiagnose: AddCommand = (program, terminal, done) => {
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
    .action(async (options) => {
      const { diagnose } = await import("../commands/diagnose.ts");
      done(await diagnose(options, terminal));
    });
};

const addAgent: AddCommand = (program, terminal, done) => {
  common(program.command("agent"), "what it does as one JSON document on standard output")
    .description("Tell of this host: counters of the machine, its processes and containers, sent as OTLP until Ctrl-C.")
    .option("--endpoint <url>", "where OTLP over HTTP is taken (default: http://127.0.0.1:4318)")
    .option("--interval <time>", "how often, as 10s or 500ms (default: 10s)", interval)
    .option("--hz <n>", "samples of the processor per second", hertz, 19)
    .addOption(
      new Option("--profile-interval <time>", "how often profiles are sent")
        .argParser<number>(interval)
        .default(30_000, "30s"),
    )
    .option("--no-probes", "counters alone: nothing is attached to the kernel")
    .option("--postgres <url>", "a PostgreSQL database to look into; may be repeated", repeated)
    .option("--postgres-plans", "ask these databases for plans of slow statements, too")
    .option(
      "--user <name>",
      "whom it becomes when root starts it (default: longpole-agent, else nobody); root to stay root",
    )
    .option("--queue <folder>", "where requests wait while nobody takes them")
    .addOption(
      new Option("--queue-size <size>", "how much may wait there, the oldest goes first")
        .argParser<number>(bytes)
        .default(256 * 2 ** 20, "256MiB"),
    )
    .addOption(
      new Option("--cpu-budget <share>", "of one core: beyond it the agent gives up what costs most")
        .argParser<number>(share)
        .default(0.01, "1%"),
    )
    .addOption(
      new Option("--memory-budget <size>", "beyond it likewise").argParser<number>(bytes).default(250e6, "250MB"),
    )
    .addHelpText("after", pasteable(EXAMPLES.agent, terminal))
    .action(async (options) => {
      const { agent } = await import("../commands/agent.ts");
      done(await agent(options, terminal));
    });
};

const addMcp: AddCommand = (program, terminal, done) => {
  program
    .command("mcp")
    .description("Answer an assistant: Model Context Protocol on standard input and output, until the input ends.")
    .addHelpText("after", pasteable(EXAMPLES.mcp, terminal))
    .action(async () => {
      const { mcp } = await import("../commands/mcp.ts");
      done(await mcp(terminal));
    });
};

/** Commands about a running server, and what feeds it. */
export const LIVE_COMMANDS: readonly AddCommand[] = [addUp, addDiagnose, addAgent, addMcp];
