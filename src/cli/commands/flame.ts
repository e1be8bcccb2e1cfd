import { gzipSync } from "node:zlib";
import { loadProfiles } from "../../formats/load-profiles.ts";
import { foldedDifference, foldedText } from "../../formats/write-folded.ts";
import { writePprof } from "../../formats/write-pprof.ts";
import { InputError } from "../../model/intake.ts";
import { mergeStackTables, minus } from "../../model/merge-stack-tables.ts";
import { PROFILES_SCHEMA } from "../../model/profiles-page.ts";
import type { StackTable } from "../../model/stack-table.ts";
import { EXIT } from "../exit-code.ts";
import { fetchProfile, isUrl } from "../fetch-profile.ts";
import { jsonDocument } from "../json-document.ts";
import { packageJson } from "../package-json.ts";
import { megabytes } from "../render/numbers.ts";
import { safeText } from "../render/safe-text.ts";
import { lookOf, type LookOptions, type Terminal } from "../terminal.ts";
import { withInputs, type Inputs } from "../with-inputs.ts";

export interface FlameOptions extends LookOptions {
  readonly folded?: boolean;
  readonly pprof?: boolean;
  readonly html?: string;
  readonly diff?: string;
  readonly value?: string;
  readonly annotate?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `longpole flame`: profiles → a view of them, or another format. What draws is loaded where it is wanted: of a small profile the start is most of the time. */
export function flame(files: readonly string[], options: FlameOptions, terminal: Terminal): Promise<number> {
  if (options.pprof === true && terminal.outIsTty) {
    terminal.err("longpole: pprof is binary; send it to a file: --pprof > profile.pb.gz\n");
    return Promise.resolve(EXIT.unusable);
  }
  return withInputs(options.quiet === true, terminal, async (inputs) => {
    const read = await readAll(files, options, terminal, inputs);
    const base = options.diff === undefined ? undefined : await readAll([options.diff], options, terminal, inputs);
    inputs.progress.clear();
    const value = valueOf(read.stacks, options.value, files[0]!);
    await write(read.stacks, base?.stacks, value, files, options, terminal);
    if (read.hasErrors || base?.hasErrors === true) return EXIT.unusable;
    return read.stacks.samples.rowCount === 0 ? EXIT.insufficientData : EXIT.ok;
  });
}

async function write(
  stacks: StackTable,
  base: StackTable | undefined,
  value: number,
  files: readonly string[],
  options: FlameOptions,
  terminal: Terminal,
): Promise<void> {
  if (options.folded === true) {
    const annotate = options.annotate === true;
    const pieces =
      base === undefined
        ? foldedText(stacks, { value, annotate })
        : foldedDifference(base, stacks, { value, annotate });
    for (const piece of pieces) terminal.out(piece);
  } else if (options.pprof === true) {
    const shown = { ...(base === undefined ? stacks : minus(stacks, base)), defaultValue: value };
    terminal.out(gzipSync(writePprof(shown)));
  } else if (options.html !== undefined) {
    const title = `${files.join(", ")}${options.diff === undefined ? "" : ` against ${options.diff}`}`;
    const [{ flameTree }, { writePage }] = await Promise.all([
      import("../../engine/flame-tree.ts"),
      import("../../web/page-html.ts"),
    ]);
    const producer = packageJson().version;
    const trees = [flameTree(stacks, value, title, base)];
    await writePage(options.html, { schema: PROFILES_SCHEMA, producer, title, trees });
    if (options.quiet !== true) terminal.err(`longpole: wrote ${safeText(options.html)}\n`);
  } else {
    const [{ flameReport }, { renderFlame }] = await Promise.all([
      import("../../engine/flame.ts"),
      import("../render/flame.ts"),
    ]);
    const report = flameReport(stacks, value, base);
    if (options.json === true) for (const piece of jsonDocument(report)) terminal.out(piece);
    else terminal.out(`${renderFlame(report, files, options.diff, lookOf(options, terminal)).join("\n")}\n`);
  }
}

async function readAll(
  paths: readonly string[],
  options: FlameOptions,
  terminal: Terminal,
  { progress, signal }: Inputs,
): Promise<{ stacks: StackTable; hasErrors: boolean }> {
  const fetched: StackTable[] = [];
  for (const address of paths.filter(isUrl)) {
    progress.report(`waiting for ${safeText(address)}`);
    fetched.push((await fetchProfile(address, signal)).stacks);
  }
  const files = paths.filter((path) => !isUrl(path));
  const { profiles, errors, skipped, remarks } = await loadProfiles(files, {
    signal,
    stdin: process.stdin,
    others: "refuse",
    onProgress: (file, bytes) => progress.report(`reading ${safeText(file)}, ${megabytes(bytes)}`),
  });
  progress.clear();
  if (options.quiet !== true) {
    for (const { path, reason } of skipped)
      terminal.err(`longpole: not used: ${safeText(path)} (${safeText(reason)})\n`);
    for (const remark of remarks) terminal.err(`longpole: ${safeText(remark)}\n`);
  }
  for (const error of errors) terminal.err(`longpole: ${safeText(error.message)}\n`);
  const tables = [...fetched, ...profiles.map(({ stacks }) => stacks)];
  return { stacks: tables.length === 1 ? tables[0]! : mergeStackTables(tables), hasErrors: errors.length > 0 };
}

/** Index of the value type that was asked for, by its type or unit; else the profile's own choice. */
function valueOf(table: StackTable, wanted: string | undefined, file: string): number {
  if (wanted === undefined || table.valueTypes.length === 0) return table.defaultValue;
  const found = table.valueTypes.findIndex(({ type, unit }) => type === wanted || `${type}/${unit}` === wanted);
  if (found >= 0) return found;
  const expected = `a value among ${table.valueTypes.map(({ type }) => type).join(", ")} for --value`;
  throw new InputError("unsupported", { file, byteOffset: -1, expected, found: wanted });
}
