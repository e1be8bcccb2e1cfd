import type { Capability } from "../../agent/host-capabilities.ts";
import { finish, heading } from "./frame.ts";
import { columns, padEnd, wrap } from "./layout.ts";
import { penFor, type Look } from "./pen.ts";
import { safeTexts } from "./safe-text.ts";

/** The rungs in words. */
const WORDS: Readonly<Record<Capability["rung"], string>> = {
  helper: "kernel probes",
  bpftrace: "bpftrace",
  perf: "perf",
  procfs: "/proc",
  none: "not seen",
};

/** Each capability with its rung; below those that could stand higher, why they don't and what mends it. */
export function renderDoctor(capabilities: readonly Capability[], look: Look): string[] {
  const pen = penFor({ ...look, width: Math.max(60, look.width) });
  const safe = safeTexts(capabilities);
  const first = Math.max(...safe.map(({ name }) => columns(name)));
  const lower = safe.filter(({ why }) => why !== "");
  const answer =
    lower.length === 0
      ? pen.better("✓ All that Longpole can collect, this host lets it collect.")
      : pen.worse(`▲ ${lower.length} of ${safe.length} kinds of data are not seen, or not at their best.`);
  const lines = [
    pen.strong("Longpole · what this host lets be collected"),
    "",
    answer,
    "",
    heading("Collected by", "", pen),
  ];
  for (const [i, { name, rung, why, mend }] of safe.entries()) {
    const mark = rung === "none" ? pen.worse("▲") : why === "" ? pen.better("✓") : pen.worse("▲");
    lines.push(`${mark} ${padEnd(name, first)}  ${rung === "none" ? pen.worse(WORDS[rung]) : WORDS[rung]}`);
    // A reason that several in a row share stands once, below them.
    const next = safe[i + 1];
    if (next !== undefined && next.why === why && next.mend === mend) continue;
    if (why !== "") lines.push(...wrap(why, pen.look.width - 6, 3).map((line) => `      ${pen.faint(line)}`));
    if (mend !== "") lines.push(...wrap(mend, pen.look.width - 6, 3).map((line) => `      ${pen.code(line)}`));
  }
  return finish(lines, look);
}
