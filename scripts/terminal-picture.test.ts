import { expect, test } from "vitest";
import { drawSvg, paletteColour, parseAnsi } from "./terminal-picture.ts";

test("sequences become runs of one style", () => {
  expect(parseAnsi("a \x1b[1;38;5;202mb\x1b[0m c")).toEqual([
    { text: "a ", colour: "#d6dbe3", bold: false },
    { text: "b", colour: "#ff5f00", bold: true },
    { text: " c", colour: "#d6dbe3", bold: false },
  ]);
});

// From the table of xterm: 16 and 231 are the ends of the cube, 232 and 255 those of the greys.
test.each([
  [16, "#000000"],
  [75, "#5fafff"],
  [208, "#ff8700"],
  [231, "#ffffff"],
  [232, "#080808"],
  [255, "#eeeeee"],
])("colour %i", (index, colour) => {
  expect(paletteColour(index)).toBe(colour);
});

test("text is placed by columns and escaped", () => {
  const svg = drawSvg(["a <b>"], "t");
  expect(svg).toContain('textLength="42.0"');
  expect(svg).toContain("a &#60;b&#62;");
});
