import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { agentUser, giveFolder, passwd } from "../../agent/drop-privileges.ts";
import { EndWatch } from "../../agent/end-watch.ts";
import { exportSettings, SettingError } from "../../agent/export/export-settings.ts";
import { hostCapabilities } from "../../agent/host-capabilities.ts";
import { helperPath } from "../../agent/probe-helper.ts";
import { EXIT } from "../exit-code.ts";
import { packageJson } from "../package-json.ts";
import { safeText } from "../render/safe-text.ts";
import type { Terminal } from "../terminal.ts";

export interface AgentFlags {
  readonly endpoint?: string;
  /** milliseconds */
  readonly interval?: number;
  /** milliseconds */
  readonly profileInterval: number;
  readonly hz: number;
  /** false for --no-probes */
  readonly probes: boolean;
  readonly user?: string;
  readonly postgres?: readonly string[];
  readonly postgresPlans?: boolean;
  readonly queue?: string;
  /** bytes */
  readonly queueSize: number;
  /** of one core, 0 .. 1 */
  readonly cpuBudget: number;
  /** bytes */
  readonly memoryBudget: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const DEFAULT_INTERVAL_MS = 10_000;

/** `longpole agent`: what this host tells of itself and of its processes, sent as OTLP until Ctrl-C. */
export async function agent(flags: AgentFlags, terminal: Terminal): Promise<number> {
  if (process.platform !== "linux") {
    terminal.err(`longpole: the agent looks at Linux hosts; this is ${process.platform}\n`);
    return EXIT.unusable;
  }
  // Commands that read files start without these, and without the driver of the database.
  const [{ runAgent }, { postgresTarget }] = await Promise.all([
    import("../../agent/run-agent.ts"),
    import("../../agent/postgres/postgres-target.ts"),
  ]);
  const queueFolder = flags.queue ?? defaultQueue(terminal.environment);
  const log = (text: string): void => {
    if (flags.quiet !== true) terminal.err(`longpole: ${safeText(text)}\n`);
  };
  // Whoever read the line of --json may go: the agent stays.
  terminal.keepWithoutReader();
  const watch = new EndWatch((text) => terminal.err(`longpole: ${safeText(text)}\n`));
  try {
    const settings = exportSettings(flags.endpoint, terminal.environment);
    const intervalMs = flags.interval ?? intervalOf(terminal.environment);
    const postgres = (flags.postgres ?? databaseOf(terminal.environment)).map((url) =>
      postgresTarget(url, { plans: flags.postgresPlans === true }),
    );
    const user = agentUser(flags.user, passwd(), process.getuid!());
    mkdirSync(queueFolder, { recursive: true, mode: 0o700 });
    if (user !== undefined) giveFolder(queueFolder, user);
    const helper = helperPath(terminal.environment);
    const capabilities = hostCapabilities(helper);
    const canProbe = capabilities.some(({ name, rung }) => name === "off-CPU times and stacks" && rung === "helper");
    const version = packageJson().version;
    if (flags.json === true) {
      const told = {
        schema: "longpole.agent/1",
        pid: process.pid,
        endpoint: settings.metrics.url.href,
        intervalMs,
        queueFolder,
        capabilities,
      };
      terminal.out(`${JSON.stringify(told)}\n`);
    } else log(`sending to ${settings.metrics.url.href} every ${intervalMs / 1000} s; Ctrl-C ends it`);
    await runAgent({
      settings,
      intervalMs,
      profileMs: flags.profileInterval,
      helper: existsSync(helper) ? helper : undefined,
      hasProbes: canProbe && flags.probes,
      hz: flags.hz,
      user,
      queueFolder,
      queueBytes: flags.queueSize,
      cpuBudget: flags.cpuBudget,
      memoryBudgetBytes: flags.memoryBudget,
      version,
      capabilities,
      postgres,
      log,
      signal: watch.signal,
    });
    return watch.failure === "" ? EXIT.ok : EXIT.unusable;
  } catch (error) {
    if (!isTrouble(error)) throw error;
    const isFolder = "path" in error && String(error.path).startsWith(queueFolder) && queueFolder !== "";
    const advice = isFolder ? "; --queue FOLDER names one that its user may use, --user another user" : "";
    terminal.err(`longpole: ${safeText(error.message)}${advice}\n`);
    return EXIT.unusable;
  } finally {
    watch.release();
  }
}

/** Something that the user can mend: a setting, or a folder that the system refuses. */
const isTrouble = (error: unknown): error is Error =>
  error instanceof Error &&
  (error.name === "SettingError" || error.name === "PostgresTargetError" || "syscall" in error);

/** LONGPOLE_POSTGRES, as for `up`: a password in it is not in the list of processes. */
function databaseOf(environment: Terminal["environment"]): readonly string[] {
  const url = environment["LONGPOLE_POSTGRES"]?.trim() ?? "";
  return url === "" ? [] : [url];
}

/** OTEL_METRIC_EXPORT_INTERVAL, milliseconds. */
function intervalOf(environment: Terminal["environment"]): number {
  const text = environment["OTEL_METRIC_EXPORT_INTERVAL"]?.trim() ?? "";
  const told = text === "" ? DEFAULT_INTERVAL_MS : Number(text);
  if (told >= 100 && told <= 3_600_000) return told;
  throw new SettingError(
    `OTEL_METRIC_EXPORT_INTERVAL is ${text}: expected milliseconds from 100 to 3600000, as --interval takes them`,
  );
}

function defaultQueue(environment: Terminal["environment"]): string {
  if (process.getuid?.() === 0) return "/var/lib/longpole-agent";
  const state = environment["XDG_STATE_HOME"] ?? join(environment["HOME"] ?? homedir(), ".local", "state");
  return join(state, "longpole-agent");
}
