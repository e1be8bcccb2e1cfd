// Draws docs/report.svg: the output of a real run, as a terminal shows it.
// `npm run picture` after a build; the picture in the README is made by nothing else.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import stringWidth from "string-width";

const ROOT: string = resolve(import.meta.dirname, "..");
const RECORDING = "examples/missing-index/fault/traces.otlp.pb.gz";
const COLUMNS = 100;

/** A run of characters in one style. */
export interface Run {
  readonly text: string;
  readonly colour: string;
  readonly bold: boolean;
}

const FOREGROUND = "#d6dbe3";
const BACKGROUND = "#12161d";

/** One line with SGR sequences (bold, 256 colours, reset) → runs. */
export function parseAnsi(line: string): Run[] {
  const runs: Run[] = [];
  let colour = FOREGROUND;
  let bold = false;
  for (const [i, part] of line.split(/\x1b\[([\d;]*)m/).entries()) {
    if (i % 2 === 0) {
      if (part !== "") runs.push({ text: part, colour, bold });
      continue;
    }
    const codes = part.split(";").map(Number);
    for (let at = 0; at < codes.length; at++) {
      if (codes[at] === 0) [colour, bold] = [FOREGROUND, false];
      else if (codes[at] === 1) bold = true;
      else if (codes[at] === 38 && codes[at + 1] === 5) {
        colour = paletteColour(codes[at + 2] ?? 7);
        at += 2;
      }
    }
  }
  return runs;
}

/** Colour of the palette of 256: from 16 on a cube of 6 levels per channel, from 232 on greys. */
export function paletteColour(index: number): string {
  const hex = (...channels: number[]): string => `#${channels.map((c) => c.toString(16).padStart(2, "0")).join("")}`;
  if (index >= 232) return hex(8 + 10 * (index - 232), 8 + 10 * (index - 232), 8 + 10 * (index - 232));
  if (index < 16) return FOREGROUND;
  const level = (step: number): number => (step === 0 ? 0 : 55 + 40 * step);
  const cube = index - 16;
  return hex(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

const CELL = 8.4;
const LINE = 18;
const MARGIN = 16;

/** Every run stands at its own column and is stretched to it, so that no font can break the alignment. */
export function drawSvg(lines: readonly string[], title: string): string {
  const width = Math.ceil(COLUMNS * CELL + 2 * MARGIN);
  const height = lines.length * LINE + 2 * MARGIN;
  const rows = lines.map((line, row) => {
    let column = 0;
    const spans = parseAnsi(line).map((run) => {
      const columns = stringWidth(run.text);
      const lead = run.text.length - run.text.trimStart().length;
      const text = run.text.trim();
      const x = (MARGIN + (column + lead) * CELL).toFixed(1);
      const stretch = (stringWidth(text) * CELL).toFixed(1);
      column += columns;
      if (text === "") return "";
      const weight = run.bold ? ' font-weight="700"' : "";
      return `<text x="${x}" y="${MARGIN + row * LINE + 13}" fill="${run.colour}"${weight} textLength="${stretch}" lengthAdjust="spacingAndGlyphs">${escapeXml(text)}</text>`;
    });
    return spans.join("");
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(title)}" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" xml:space="preserve">
<rect width="100%" height="100%" rx="8" fill="${BACKGROUND}"/>
${rows.filter((row) => row !== "").join("\n")}
</svg>
`;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** From the head to the end of the first finding: what a reader meets first. */
function untilSecondFinding(lines: readonly string[]): string[] {
  const plain = lines.map((line) => line.replace(/\x1b\[[\d;]*m/g, ""));
  // Head, answer and first endpoint are the first three blocks.
  const endpointEnd = plain.indexOf("", plain.indexOf("", plain.indexOf("") + 1) + 1);
  const findings = plain.findIndex((line) => line.startsWith("What to fix"));
  const next = plain.findIndex((line, i) => i > findings + 2 && (/^ 2 [■◆]/.test(line) || line.startsWith("Notes")));
  return [...lines.slice(0, endpointEnd + 1), ...lines.slice(findings, next - 1)];
}

function main(): void {
  const args = ["dist/cli/main.js", "analyze", RECORDING, "--width", String(COLUMNS), "--quiet"];
  // As npx starts it, so that the command to try reads as the README writes it.
  const env = { ...process.env, FORCE_COLOR: "1", LANG: "C.UTF-8", npm_command: "exec" };
  const done = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8", env });
  if (done.status !== 0) throw new Error(`longpole ended with ${done.status}: ${done.stderr}`);
  const command = `\x1b[38;5;245m$ \x1b[0mnpx longpole analyze ${RECORDING}`;
  const lines = [command, "", ...untilSecondFinding(done.stdout.trimEnd().split("\n"))];
  writeFileSync(join(ROOT, "docs", "report.svg"), drawSvg(lines, `longpole analyze ${RECORDING}: a finding`));
}

if (process.argv[1] === import.meta.filename) main();
