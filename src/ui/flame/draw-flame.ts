import type { FlameTree } from "../../model/flame-tree.ts";
import { hueOf } from "../parts/time-kinds.ts";
import { firstAt, type FlameLayout } from "./flame-layout.ts";

export const LEVEL = 19;

export interface FlameLook {
  /** CSS pixels */
  readonly width: number;
  readonly height: number;
  /** which part of the whole fills the width, in shares */
  readonly from: number;
  readonly to: number;
  /** the roots stand at the bottom */
  readonly isUpright: boolean;
  /** colours tell what grew and what shrank against the tree's `before` */
  readonly isDifference: boolean;
  /** per function: 1 where its name matches what is searched; absent while nothing is */
  readonly matches: Uint8Array | undefined;
  color(name: string): string;
}

/** Narrower ones, in CSS pixels, are drawn as one strip with their neighbours. */
const NARROW = 1;
/** From this width on there is room for letters. */
const TEXT = 34;

/** Draws what can be seen: the cost is that of the pixels, not of the rows. bench/ui.ts measures 500,000 of them. */
export function drawFlame(pen: CanvasRenderingContext2D, tree: FlameTree, layout: FlameLayout, look: FlameLook): void {
  const { width, height } = look;
  pen.clearRect(0, 0, width, height);
  pen.font = FONT;
  pen.textBaseline = "middle";
  const colors = new Palette(tree, look);
  const letter = letterWidth(pen);
  for (let level = 0; level < layout.levels; level++) {
    const y = look.isUpright ? height - (level + 1) * LEVEL : level * LEVEL;
    drawLevel(pen, tree, layout, look, colors, { level, y, letter });
  }
}

interface LevelPlace {
  readonly level: number;
  readonly y: number;
  /** width of a letter */
  readonly letter: number;
}

function drawLevel(
  pen: CanvasRenderingContext2D,
  tree: FlameTree,
  layout: FlameLayout,
  look: FlameLook,
  colors: Palette,
  { level, y, letter }: LevelPlace,
): void {
  const { width, from, to } = look;
  const { leftAt, rightAt, order } = layout;
  const scale = width / (to - from);
  const end = layout.levelStart[level + 1]!;
  let stripFrom = -1;
  let stripTo = -1;
  // The same colour comes in runs, and setting it costs more than a rectangle.
  let filled = "";
  const fill = (color: string, x: number, wide: number): void => {
    if (color !== filled) pen.fillStyle = filled = color;
    pen.fillRect(x, y, wide, LEVEL - 1);
  };
  const endStrip = (): void => {
    if (stripFrom >= 0) fill(colors.strip, stripFrom, Math.max(0.5, stripTo - stripFrom));
    stripFrom = -1;
  };
  for (let i = firstAt(rightAt, layout.levelStart[level]!, end, from, true); i < end;) {
    const left = leftAt[i]!;
    if (left >= to) break;
    const x = Math.max(0, (left - from) * scale);
    const right = Math.min(width, (rightAt[i]! - from) * scale);
    if (right - x < NARROW) {
      // All that begins within this pixel is too narrow, too, but perhaps for the last of it.
      let next = firstAt(leftAt, i + 1, end, left + NARROW / scale, false);
      if (next > i + 1 && (rightAt[next - 1]! - leftAt[next - 1]!) * scale >= NARROW) next--;
      if (stripFrom < 0 || x - stripTo > 1) {
        endStrip();
        stripFrom = x;
      }
      stripTo = Math.min(width, (rightAt[next - 1]! - from) * scale);
      i = next;
      continue;
    }
    endStrip();
    const row = order[i++]!;
    fill(colors.of(row), x, right - x > 2 ? right - x - 0.5 : right - x);
    if (right - x > TEXT) {
      pen.fillStyle = filled = colors.textOn(row);
      pen.fillText(cut(tree.functions[tree.function[row]!]![0], (right - x - 8) / letter), x + 4, y + LEVEL / 2);
    }
  }
  endStrip();
}

const FONT = "11px system-ui, sans-serif";
let measured = 0;

/** Measured once: the font does not change. */
function letterWidth(pen: CanvasRenderingContext2D): number {
  return (measured ||= pen.measureText("0").width);
}

const cut = (text: string, letters: number): string =>
  text.length <= letters ? text : `${text.slice(0, Math.max(1, Math.floor(letters) - 1))}…`;

/** Colours of rows: of kinds of time in critical paths, of kinds of code in profiles, of change in differences. */
class Palette {
  readonly strip: string;
  private readonly tree: FlameTree;
  private readonly look: FlameLook;
  private readonly byFunction: string[] = [];
  private readonly byChange: string[] = [];
  private readonly held = new Map<string, string>();

  constructor(tree: FlameTree, look: FlameLook) {
    this.tree = tree;
    this.look = look;
    this.strip = this.named("--rest");
  }

  of(row: number): string {
    const of = this.tree.function[row]!;
    if (this.look.matches !== undefined && this.look.matches[of] === 0) return this.named("--line");
    if (this.look.isDifference && this.tree.before !== undefined) return this.change(row);
    return (this.byFunction[of] ??= this.ofFunction(of));
  }

  textOn(row: number): string {
    const [, , kind] = this.tree.functions[this.tree.function[row]!]!;
    const isDark = !this.look.isDifference && this.look.matches === undefined && hueOf(kind).color !== "--rest";
    return this.named(isDark ? "--on" : "--text");
  }

  private ofFunction(of: number): string {
    const [name, place, kind] = this.tree.functions[of]!;
    const hue = hueOf(kind);
    if (hue.color !== "--rest") return this.named(hue.color);
    if (kind === "unexplained") return this.named("--rest");
    // Orange means contribution: shades by the file, so that neighbours of one file look alike.
    const shade = hash(place === "" ? name : place.replace(/:\d+$/, "")) % 3;
    return this.named(["--share-1", "--share-2", "--share-1"][shade]!, kind === "kernel" ? "--count-0" : undefined);
  }

  private change(row: number): string {
    const before = this.tree.before![row]!;
    const now = this.tree.value[row]!;
    const share = Math.max(before, now) === 0 ? 0 : (now - before) / Math.max(before, now);
    // Fifty steps are more than anyone tells apart, and each is made once.
    const step = Math.round(50 * share);
    return (this.byChange[step + 50] ??= mix(
      this.named("--panel"),
      this.named(step > 0 ? "--more" : "--less"),
      0.1 + (0.6 * Math.abs(step)) / 50,
    ));
  }

  private named(name: string, instead?: string): string {
    const key = instead ?? name;
    let value = this.held.get(key);
    if (value === undefined) this.held.set(key, (value = this.look.color(key).trim()));
    return value;
  }
}

const mix = (from: string, to: string, share: number): string =>
  `color-mix(in srgb, ${to} ${Math.round(share * 100)}%, ${from})`;

function hash(text: string): number {
  let value = 2166136261;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 16777619);
  return value >>> 0;
}
