import type { Settings, UpFlags } from "../../server/config/settings.ts";
import type { SignalCounts } from "../../server/context.ts";
import type { Log } from "../../server/log.ts";
import type { Longpole } from "../../server/start-longpole.ts";
import { EXIT } from "../exit-code.ts";
import { count } from "../render/numbers.ts";
import { safeText } from "../render/safe-text.ts";
import { packageJson } from "../package-json.ts";
import type { Terminal } from "../terminal.ts";

export interface UpOptions extends UpFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const STATUS_EVERY_MS = 1000;

/**
 * `longpole up`: receivers, store and API until Ctrl-C. The modules of the server are loaded here and not before: commands
 * that read files start without them, and without their packages.
 */
export async function up(options: UpOptions, terminal: Terminal): Promise<number> {
  const [{ settingsOf }, { startLongpole }, { jsonLog }, { watchPostgres }] = await Promise.all([
    import("../../server/config/settings.ts"),
    import("../../server/start-longpole.ts"),
    import("../../server/log.ts"),
    import("../watch-postgres.ts"),
  ]);
  let stop = (): void => {};
  const stopped = new Promise<void>((resolve) => (stop = resolve));
  const stopListening = terminal.onInterrupt(() => stop());
  try {
    const settings = settingsOf(options, terminal.environment);
    const status = new StatusLine(terminal, options.quiet === true);
    const log: Log = terminal.errIsTty ? status.log : jsonLog((line) => terminal.err(line));
    // Before anything is started: a URL that cannot be read is told at once.
    const startWatching = watchPostgres(settings.postgres);
    const longpole = await startLongpole(settings, packageJson().version, log);
    const stopWatching = startWatching(longpole, log);
    tell(longpole, settings, options, terminal);
    const timer = setInterval(() => status.show(longpole), STATUS_EVERY_MS);
    await stopped;
    clearInterval(timer);
    status.clear();
    if (options.quiet !== true)
      terminal.err("longpole: stopping; what was acknowledged is kept (Ctrl-C again to leave at once)\n");
    await stopWatching();
    await longpole.stop();
    return EXIT.ok;
  } catch (error) {
    const advice = adviceOn(error);
    if (advice === undefined) throw error;
    terminal.err(`longpole: ${safeText(advice)}\n`);
    return EXIT.unusable;
  } finally {
    stopListening();
  }
}

function tell(
  { apiUrl, otlpGrpc, otlpHttp }: Longpole,
  settings: Settings,
  options: UpOptions,
  terminal: Terminal,
): void {
  if (options.json === true) {
    terminal.out(`${JSON.stringify({ schema: "longpole.up/1", apiUrl, otlpGrpc, otlpHttp, pid: process.pid })}\n`);
    return;
  }
  const scheme = settings.tls === undefined ? "http" : "https";
  const kept = settings.clickhouse === undefined ? settings.dataDir : settings.clickhouse.urls.join(", ");
  const header = settings.tokens.length === 0 ? [] : ['  OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer <token>"'];
  terminal.out(
    [
      `Longpole is up; data in ${kept}`,
      "",
      `  Web, API    ${apiUrl}`,
      `  OTLP/gRPC   ${otlpGrpc ?? "not listening"}`,
      `  OTLP/HTTP   ${otlpHttp ?? "not listening"}`,
      "",
      "Services send to it with",
      "",
      `  OTEL_EXPORTER_OTLP_ENDPOINT=${scheme}://${otlpHttp ?? otlpGrpc ?? ""}`,
      `  OTEL_EXPORTER_OTLP_PROTOCOL=${otlpHttp === undefined ? "grpc" : "http/protobuf"}`,
      ...header,
      "",
      `and ${terminal.command} diagnose --url ${apiUrl} says what is slow.`,
      "",
    ].join("\n"),
  );
}

/** One line on the terminal that is rewritten each second; log lines push it down. */
class StatusLine {
  private readonly terminal: Terminal;
  private readonly quiet: boolean;
  private before: { readonly atMs: number; readonly received: number } | undefined;
  private shown = false;

  constructor(terminal: Terminal, quiet: boolean) {
    this.terminal = terminal;
    this.quiet = quiet;
  }

  readonly log: Log = (level, event, fields = {}) => {
    if (level === "info" && fields["text"] === undefined) return;
    if (this.quiet && level !== "error") return;
    this.clear();
    const { text, error } = fields;
    const reason = error instanceof Error ? `: ${error.message}` : "";
    this.terminal.err(`${safeText(`${event}: ${typeof text === "string" ? text : ""}${reason}`)}\n`);
  };

  show(longpole: Longpole): void {
    if (this.quiet || !this.terminal.errIsTty) return;
    const signals = longpole.signals();
    const sum = (field: (counts: SignalCounts) => number): number =>
      Object.values(signals).reduce((total, counts) => total + field(counts), 0);
    const received = sum((counts) => counts.received);
    const atMs = performance.now();
    const rate = this.before === undefined ? 0 : ((received - this.before.received) * 1000) / (atMs - this.before.atMs);
    this.before = { atMs, received };
    const lost = sum(({ rejected, dropped }) => total(rejected) + total(dropped));
    const text =
      `${count(signals["traces"]?.stored ?? 0)} spans and ${count(signals["metrics"]?.stored ?? 0)} points stored, ` +
      `${count(sum(({ waiting }) => waiting))} on the way, ${count(lost)} refused; ${count(rate)}/s; store ${longpole.storeState()}`;
    this.terminal.err(`\r\x1b[K${text.slice(0, Math.max(20, this.terminal.columns - 1))}`);
    this.shown = true;
  }

  clear(): void {
    if (this.shown) this.terminal.err("\r\x1b[K");
    this.shown = false;
  }
}

const total = (reasons: Readonly<Record<string, number>>): number =>
  Object.values(reasons).reduce((sum, n) => sum + n, 0);

/** What is wrong and the one thing that mends it; undefined for what only a defect explains. */
function adviceOn(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, syscall, port, address, path } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  if (error.name === "ConfigError" || error.name === "PostgresTargetError") return error.message;
  if (error.name === "StoreError") return storeAdvice(String(code), error.message);
  if (code === "EADDRINUSE") {
    const flag = "--port, --grpc-port and --http-port choose others, 0 a free one";
    return `${address ?? ""}${port === undefined ? "" : `:${port}`} is in use by another process; ${flag}`;
  }
  if (syscall !== undefined) return `${path === undefined ? "" : `${path}: `}${error.message}`;
  return undefined;
}

function storeAdvice(code: string, message: string): string {
  switch (code) {
    case "not-installed":
    case "engine-broken": {
      const wanted = packageJson().optionalDependencies;
      const packages = ["@chdb/lib-linux-x64-gnu", "ffi-rs"].map((name) => `${name}@${wanted[name] ?? "latest"}`);
      return `${message}; npm install --no-save ${packages.join(" ")} adds the embedded engine, or --clickhouse URL uses another`;
    }
    case "locked":
      return `${message}; --data DIR chooses another folder`;
    default:
      return message;
  }
}
