import type { FlameTree } from "../model/flame-tree.ts";

/*
 * The script of the flame page: draws the tree that stands in the page as JSON. It is built as
 * one file without imports of code and put into the page as it is (cli/flame-page.ts).
 *
 * Rows are laid out once, in shares of the whole; a view is a row that fills the width. Only what is
 * wider than half a pixel is drawn: the cost is that of the pixels, not of the rows.
 */

const ROW = 19;
const tree = JSON.parse(element("data").textContent) as FlameTree;
const rowCount = tree.parent.length;
const depth = new Int32Array(rowCount);
/** left edge and width of each row, in shares of the root */
const left = new Float64Array(rowCount);
const width = new Float64Array(rowCount);
const canvas = element("flame") as HTMLCanvasElement;
const pen = canvas.getContext("2d")!;
const search = element("search") as HTMLInputElement;
const isDark = matchMedia("(prefers-color-scheme: dark)");

let focus = 0;
let hovered = -1;
/** per function: whether its name matches what is searched; absent while nothing is */
let matches: Uint8Array | undefined;
/** per row: whether it is the focus's caller, its caller, ... */
const isAbove = new Uint8Array(rowCount);

layOut();
element("title").textContent = tree.title;
element("total").textContent = amount(tree.value[0] ?? 0);
element("left").textContent =
  tree.left === 0 ? "" : `${tree.left.toLocaleString("en")} calls narrower than a tenth of a pixel are left out.`;
addEventListener("resize", draw);
isDark.addEventListener("change", draw);
search.addEventListener("input", find);
element("reset").addEventListener("click", () => zoom(0));
canvas.addEventListener("mousemove", (event) => hover(rowAt(event)));
canvas.addEventListener("mouseleave", () => hover(-1));
canvas.addEventListener("click", (event) => {
  const row = rowAt(event);
  if (row >= 0) zoom(row);
});
addEventListener("keydown", (event) => {
  const isTyping = document.activeElement === search;
  if (event.key === "Escape") {
    search.value = "";
    search.blur();
    find();
    zoom(0);
  } else if ((event.key === "f" && (event.ctrlKey || event.metaKey)) || (event.key === "/" && !isTyping)) {
    event.preventDefault();
    search.focus();
  } else if (event.key === "0" && !isTyping) zoom(0);
});
draw();

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

/** Siblings by size, callees below their caller. */
function layOut(): void {
  const children: number[][] = Array.from({ length: rowCount }, () => []);
  for (let row = 1; row < rowCount; row++) children[tree.parent[row]!]!.push(row);
  const all = Math.max(1e-300, tree.value[0] ?? 0);
  for (let row = 0; row < rowCount; row++) {
    if (row === 0) width[0] = 1;
    const callees = children[row]!.sort((a, b) => tree.value[b]! - tree.value[a]!);
    let at = left[row]!;
    for (const callee of callees) {
      depth[callee] = depth[row]! + 1;
      left[callee] = at;
      width[callee] = tree.value[callee]! / all;
      at += width[callee]!;
    }
  }
}

function draw(): void {
  const scale = devicePixelRatio || 1;
  const room = canvas.parentElement!.clientWidth;
  const rows = 1 + depth.reduce((most, level) => Math.max(most, level), 0);
  canvas.style.height = `${rows * ROW}px`;
  canvas.width = room * scale;
  canvas.height = rows * ROW * scale;
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, room, rows * ROW);
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  let drawn = 0;
  for (let row = 0; row < rowCount; row++) {
    const isOver = isAbove[row] === 1;
    const x = isOver ? 0 : ((left[row]! - left[focus]!) / width[focus]!) * room;
    const w = isOver ? room : (width[row]! / width[focus]!) * room;
    if (w < 0.5 || x + w < 0 || x > room) continue;
    drawn++;
    box(row, Math.max(0, x), Math.min(room, x + w));
  }
  canvas.setAttribute("aria-label", `${tree.title}: ${drawn} calls drawn`);
}

function box(row: number, from: number, to: number): void {
  const y = depth[row]! * ROW;
  pen.globalAlpha = isAbove[row] === 1 ? 0.5 : 1;
  pen.fillStyle = isMatch(row) ? "hsl(212 90% 62%)" : colourOf(row);
  pen.fillRect(from, y, Math.max(0.5, to - from - 0.5), ROW - 1);
  if (row === hovered) {
    pen.strokeStyle = isDark.matches ? "#fff" : "#000";
    pen.strokeRect(from + 0.5, y + 0.5, to - from - 1.5, ROW - 2);
  }
  if (to - from > 24) {
    pen.fillStyle = "#1b1b1b";
    pen.save();
    pen.beginPath();
    pen.rect(from, y, to - from - 3, ROW);
    pen.clip();
    pen.fillText(nameOf(row), from + 4, y + ROW / 2);
    pen.restore();
  }
  pen.globalAlpha = 1;
}

/** A hue per kind of code; with a window before, blue for less and orange for more. */
function colourOf(row: number): string {
  const [name, , kind] = tree.functions[tree.function[row]!]!;
  if (tree.before !== undefined) {
    const change = (tree.value[row]! - tree.before[row]!) / Math.max(1e-300, tree.value[0]!);
    const strength = Math.min(1, Math.abs(change) * 10);
    return change === 0 ? "hsl(0 0% 84%)" : `hsl(${change < 0 ? 212 : 28} 85% ${92 - 34 * strength}%)`;
  }
  const hue = { kernel: 265, native: 175, jit: 95, runtime: 225, gc: 330, idle: 0 }[kind] ?? 42;
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = (hash * 31 + name.charCodeAt(i)) | 0;
  return `hsl(${hue} ${kind === "idle" || kind === "" ? 0 : 58}% ${74 + (Math.abs(hash) % 10)}%)`;
}

function isMatch(row: number): boolean {
  return matches !== undefined && matches[tree.function[row]!] === 1;
}

function nameOf(row: number): string {
  return tree.functions[tree.function[row]!]![0];
}

function rowAt(event: MouseEvent): number {
  const { left: x0, top: y0, width: room } = canvas.getBoundingClientRect();
  const level = Math.floor((event.clientY - y0) / ROW);
  const share = left[focus]! + ((event.clientX - x0) / room) * width[focus]!;
  for (let row = 0; row < rowCount; row++) {
    if (depth[row] !== level) continue;
    if (isAbove[row] === 1) return row;
    if (share >= left[row]! && share < left[row]! + width[row]!) return row;
  }
  return -1;
}

function hover(row: number): void {
  if (row === hovered) return;
  hovered = row;
  element("detail").textContent = row < 0 ? "" : detailOf(row);
  draw();
}

function detailOf(row: number): string {
  const [name, place, kind] = tree.functions[tree.function[row]!]!;
  const what = [place, kind].filter((part) => part !== "").join(", ");
  const before = tree.before === undefined ? "" : `, before ${percent(tree.before[row]!)}`;
  return `${name}${what === "" ? "" : ` (${what})`}: ${amount(tree.value[row]!)}, ${percent(tree.value[row]!)}${before}`;
}

function percent(value: number): string {
  return `${((100 * value) / Math.max(1e-300, tree.value[0]!)).toFixed(2)} %`;
}

function amount(value: number): string {
  const digits = (number: number): string => number.toLocaleString("en", { maximumSignificantDigits: 3 });
  if (tree.unit === "nanoseconds") return value >= 1e9 ? `${digits(value / 1e9)} s` : `${digits(value / 1e6)} ms`;
  if (tree.unit === "bytes") return value >= 1e6 ? `${digits(value / 1e6)} MB` : `${digits(value / 1e3)} kB`;
  return `${value.toLocaleString("en", { maximumFractionDigits: 0 })} ${tree.type}`;
}

function zoom(row: number): void {
  focus = row;
  isAbove.fill(0);
  for (let at = tree.parent[row]!; at >= 0; at = tree.parent[at]!) isAbove[at] = 1;
  draw();
}

function find(): void {
  matches = undefined;
  let found = 0;
  if (search.value !== "") {
    const pattern = patternOf(search.value);
    matches = Uint8Array.from(tree.functions, ([name]) => (pattern.test(name) ? 1 : 0));
    // A match covers its callees, which are not counted again; callers come first.
    const isCovered = new Uint8Array(rowCount);
    for (let row = 0; row < rowCount; row++) {
      const above = tree.parent[row]!;
      if (above >= 0 && isCovered[above] === 1) isCovered[row] = 1;
      else if (isMatch(row)) {
        isCovered[row] = 1;
        found += width[row]!;
      }
    }
  }
  element("found").textContent = matches === undefined ? "" : `${(100 * found).toFixed(1)} % matches`;
  draw();
}

function patternOf(text: string): RegExp {
  try {
    return new RegExp(text, "i");
  } catch {
    return new RegExp(text.replace(/[^\w\s]/g, "\\$&"), "i");
  }
}
