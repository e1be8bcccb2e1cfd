// What recording costs: loading and attaching the probes, processor time of the helper and its probes, its memory; of an
// idle process, and of two that hand a byte to and fro as fast as they can, so that threads are switched all the time.
// Figures are shares of one core; the machine should be quiet.
import { recordByHelper } from "../src/agent/helper-recording.ts";
import { checkHelper, helperPath } from "../src/agent/probe-helper.ts";
import { startCommand } from "../src/agent/target-process.ts";

const SECONDS = 5;
const helper: string = helperPath(process.env);
const check = checkHelper(helper);
if (check.kind === "failed") {
  console.log(`no probes here: ${check.why}`);
  process.exit(0);
}

/** `yes` into a pipe that is read byte by byte: a switch for nearly every one. */
const PING_PONG =
  "mkfifo $0.a $0.b; (while IFS= read -r x; do echo $x; done < $0.a > $0.b) & exec 3> $0.a 4< $0.b; rm $0.a $0.b; while :; do echo x >&3; IFS= read -r x <&4; done";
const CASES: readonly (readonly [string, readonly string[]])[] = [
  ["idle", ["sleep", "60"]],
  ["switches", ["sh", "-c", PING_PONG, `/tmp/longpole-bench-${process.pid}`]],
];

console.log("case       Hz   attach    helper + probes   memory   switches/s");
for (const [name, words] of CASES) {
  for (const hz of [19, 99]) {
    const target = await startCommand(words);
    const signal = new AbortController().signal;
    const { quality, threads, durationNs } = await recordByHelper(helper, target, { seconds: SECONDS, hz, signal });
    await target.stop!();
    const { attachMs, cpuNs, residentBytes } = quality.cost!;
    const switches = threads.reduce((sum, { waits, preemptions }) => sum + waits + preemptions, 0);
    const columns = [
      name.padEnd(8),
      String(hz).padStart(4),
      `${attachMs.toFixed(0)} ms`.padStart(8),
      `${((100 * cpuNs) / durationNs).toFixed(2)} % of a core`.padStart(18),
      `${(residentBytes / 1e6).toFixed(0)} MB`.padStart(8),
      (switches / (durationNs / 1e9)).toFixed(0).padStart(12),
    ];
    console.log(columns.join(" "));
  }
}
