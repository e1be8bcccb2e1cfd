import type { PageFaultRow, RecordReport } from "../../model/record-report.ts";
import { heading } from "./frame.ts";
import { clipMiddle, columns, padEnd, padStart } from "./layout.ts";
import { count, duration } from "./numbers.ts";
import type { Pen } from "./pen.ts";

/** What was touched, of each kind of fault. */
const PLACES = 3;
/** Of the recording; less is no part of anybody's time. */
const SEEN_OF_TIME = 0.001;

const WORDS = { minor: "of memory (minor)", major: "from a disk (major)" } as const;

/** Page faults of a recording: how many, how long, and which function touches what; nothing where they take no time. */
export function pageFaults({ recording }: RecordReport, pen: Pen): string[] {
  const rows = (["major", "minor"] as const).flatMap((type) => {
    const row = recording.pageFaults[type];
    return row === null || row.count === 0 || (row.ms !== null && row.ms < SEEN_OF_TIME * recording.durationMs)
      ? []
      : [{ name: WORDS[type], row }];
  });
  if (rows.every(({ row }) => row.ms === null)) return [];
  const first = Math.max(...rows.map(({ name }) => columns(name)));
  const head = `  ${padEnd("", first)} ${["count", "a second", "mean", "time"].map((text) => padStart(text, 10)).join("")}`;
  const lines = ["", heading("Page faults", "their time is part of the times above", pen), pen.faint(head)];
  for (const { name, row } of rows) {
    const figures = [count(row.count), count(Math.round(row.perSecond)), timeOf(row.meanMs), timeOf(row.ms)];
    lines.push(`  ${padEnd(name, first)} ${figures.map((text) => padStart(text, 10)).join("")}`);
    for (const place of row.places.slice(0, PLACES)) lines.push(pen.faint(placeLine(place, pen)));
  }
  return lines;
}

const timeOf = (ms: number | null): string => (ms === null ? "" : duration(ms));

function placeLine({ memory, frame, ms }: PageFaultRow["places"][number], pen: Pen): string {
  const what = [frame === "" ? "[stack not seen]" : frame, memory === "" ? "[not mapped any more]" : memory];
  const figure = padStart(duration(ms), 10);
  const room = Math.max(12, pen.look.width - 5 - columns(figure));
  return `    ${padEnd(clipMiddle(what.join(pen.look.ascii === true ? " > " : " → "), room), room)} ${figure}`;
}
