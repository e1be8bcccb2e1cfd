import type { FlameTree } from "../../model/flame-tree.ts";
import { hueOf } from "../parts/time-kinds.ts";
import type { FlameLayout } from "./flame-layout.ts";

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
  /** row under the pointer, -1 for none */
  readonly hovered: number;
  color(name: string): string;
}

/** Draws what is wider than half a pixel: the cost is that of the pixels, not of the rows. */
export function drawFlame(pen: CanvasRenderingContext2D, tree: FlameTree, layout: FlameLayout, look: FlameLook): void {
  const { width, height, from, to } = look;
  pen.clearRect(0, 0, width, height);
  pen.font = "11px system-ui, sans-serif";
  pen.textBaseline = "middle";
  const scale = width / (to - from);
  const colors = new Palette(tree, look);
  const letter = pen.measureText("0").width;
  for (let level = 0; level < layout.levels; level++) {
    const y = look.isUpright ? height - (level + 1) * LEVEL : level * LEVEL;
    // What is narrower than half a pixel is drawn as one strip with its neighbours.
    let stripFrom = -1;
    let stripTo = -1;
    const endStrip = (): void => {
      if (stripFrom < 0) return;
      pen.fillStyle = colors.strip;
      pen.fillRect(stripFrom, y, Math.max(0.5, stripTo - stripFrom), LEVEL - 1);
      stripFrom = -1;
    };
    for (let i = firstFrom(layout, level, from); i < layout.levelStart[level + 1]!; i++) {
      const row = layout.order[i]!;
      const left = layout.left[row]!;
      if (left >= to) break;
      const x = Math.max(0, (left - from) * scale);
      const right = Math.min(width, (left + layout.width[row]! - from) * scale);
      if (right - x < 0.5) {
        if (stripFrom < 0 || x - stripTo > 1) {
          endStrip();
          stripFrom = x;
        }
        stripTo = right;
        continue;
      }
      endStrip();
      pen.fillStyle = row === look.hovered ? look.color("--accent") : colors.of(row);
      pen.fillRect(x, y, Math.max(0.5, right - x - 0.5), LEVEL - 1);
      if (right - x > 34) {
        pen.fillStyle = row === look.hovered ? look.color("--on") : colors.textOn(row);
        pen.fillText(cut(tree.functions[tree.function[row]!]![0], (right - x - 8) / letter), x + 4, y + LEVEL / 2);
      }
    }
    endStrip();
  }
}

/** The first row of a level that ends behind `from`. */
function firstFrom(layout: FlameLayout, level: number, from: number): number {
  let low = layout.levelStart[level]!;
  let high = layout.levelStart[level + 1]!;
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = layout.order[middle]!;
    if (layout.left[row]! + layout.width[row]! <= from) low = middle + 1;
    else high = middle;
  }
  return low;
}

const cut = (text: string, letters: number): string =>
  text.length <= letters ? text : `${text.slice(0, Math.max(1, Math.floor(letters) - 1))}…`;

/** Colours of rows: of kinds of time in critical paths, of kinds of code in profiles, of change in differences. */
class Palette {
  readonly strip: string;
  private readonly tree: FlameTree;
  private readonly look: FlameLook;
  private readonly byFunction: string[] = [];
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
    return mix(this.named("--panel"), this.named(share > 0 ? "--more" : "--less"), 0.1 + 0.6 * Math.abs(share));
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
