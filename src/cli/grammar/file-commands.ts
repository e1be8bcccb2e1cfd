import { Option } from "commander";
import { SEVERITIES } from "../../model/report.ts";
import { EXAMPLES } from "./examples.ts";
import { type AddCommand, common, pasteable, window } from "./options.ts";
import { objective, probability, share, wholeNumber } from "./quantities.ts";

const addAnalyze: AddCommand = (program, terminal, done) => {
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
    .action(async (files: string[], options) => {
      const { analyze } = await import("../commands/analyze.ts");
      done(await analyze(files, options, terminal));
    });
};

const addCompare: AddCommand = (program, terminal, done) => {
  common(program.command("compare"))
    .description("Hold a new recording against a baseline: what became worse, what better.")
    .argument("<baseline>", "recording or folder of better times")
    .argument("<new>", "recording or folder to judge")
    .addOption(new Option("--fail-on <what>", "exit with code 1 when an endpoint is worse").choices(["regression"]))
    .option("--threshold <change>", "smallest relative change that counts, as 5% or 0.05", share, 0.05)
    .addHelpText("after", pasteable(EXAMPLES.compare, terminal))
    .action(async (before: string, now: string, options) => {
      const { compareRecordings } = await import("../commands/compare.ts");
      done(await compareRecordings(before, now, options, terminal));
    });
};

const addWhatIf: AddCommand = (program, terminal, done) => {
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
    .action(async (files: string[], options) => {
      const { predictChanges } = await import("../commands/what-if.ts");
      done(await predictChanges(files, options, terminal));
    });
};

const addCriticalPath: AddCommand = (program, terminal, done) => {
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
    .action(async (files: string[], options) => {
      const { printCriticalPaths } = await import("../commands/critical-path.ts");
      done(await printCriticalPaths(files, options, terminal));
    });
};

const addFlame: AddCommand = (program, terminal, done) => {
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
    .action(async (files: string[], options) => {
      const { flame } = await import("../commands/flame.ts");
      done(await flame(files, options, terminal));
    });
};

const addChangepoints: AddCommand = (program, terminal, done) => {
  common(program.command("changepoints"))
    .description("Find where a series of time,value rows (CSV) changed its level.")
    .argument("<file>", "CSV with or without a header row; - for standard input")
    .option("--p <probability>", "accepted chance that mere noise shows a change", probability, 0.05)
    .addHelpText("after", pasteable(EXAMPLES.changepoints, terminal))
    .action(async (file: string, options) => {
      const { changepoints } = await import("../commands/changepoints.ts");
      done(await changepoints(file, options, terminal));
    });
};

const addUsl: AddCommand = (program, terminal, done) => {
  common(program.command("usl"))
    .description("Fit the Universal Scalability Law to load,throughput rows (CSV): where more load stops to help.")
    .argument("<file>", "CSV with or without a header row; - for standard input")
    .addHelpText("after", pasteable(EXAMPLES.usl, terminal))
    .action(async (file: string, options) => {
      const { fitScalability } = await import("../commands/usl.ts");
      done(await fitScalability(file, options, terminal));
    });
};

/** Commands that read files and end. */
export const FILE_COMMANDS: readonly AddCommand[] = [
  addAnalyze,
  addCompare,
  addWhatIf,
  addCriticalPath,
  addFlame,
  addChangepoints,
  addUsl,
];
