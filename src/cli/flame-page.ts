import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { FlameTree } from "../model/flame-tree.ts";

/**
 * A page that draws the tree, in one file: it loads nothing, and its policy lets nothing run
 * but the one script in it. Names in the tree are data of others; they stand in JSON that cannot
 * end its element, and the script shows them as text only.
 */
export function flamePage(tree: FlameTree): string {
  const script = pageScript();
  const policy = `default-src 'none'; script-src '${digest(script)}'; style-src '${digest(STYLE)}'; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width">
<title>Longpole flame graph</title>
<style>${STYLE}</style>
<header>
<h1 id="title"></h1><span id="total"></span><span id="found"></span>
<input id="search" type="search" placeholder="search (Ctrl-F)" aria-label="Search functions">
<button id="reset">reset (0)</button>
</header>
<main><canvas id="flame" role="img"></canvas></main>
<footer><span id="detail"></span> <span id="left"></span></footer>
<script type="application/json" id="data">${JSON.stringify(tree).replaceAll("<", "\\u003c")}</script>
<script type="module">${script}</script>
</html>
`;
}

/** What the compiler makes of src/flame-page/main.ts, which stands in dist in the sources as in the package. */
function pageScript(): string {
  const built = readFileSync(new URL("../../dist/flame-page/main.js", import.meta.url), "utf8");
  return built.replaceAll("</script", "<\\/script");
}

const digest = (text: string): string => `sha256-${createHash("sha256").update(text).digest("base64")}`;

const STYLE = `
:root { color-scheme: light dark; font: 13px/1.4 system-ui, sans-serif; }
body { margin: 0; }
header, footer { display: flex; gap: 12px; align-items: center; padding: 8px 12px; }
header { position: sticky; top: 0; background: Canvas; border-bottom: 1px solid color-mix(in srgb, CanvasText 15%, Canvas); }
footer { position: fixed; bottom: 0; left: 0; right: 0; background: Canvas; min-height: 20px; overflow-wrap: anywhere; }
h1 { font-size: 14px; margin: 0; }
#total, #found, #left { color: GrayText; }
#search { margin-left: auto; width: 16em; }
main { padding: 8px 12px 48px; }
canvas { width: 100%; display: block; cursor: pointer; }
`;
