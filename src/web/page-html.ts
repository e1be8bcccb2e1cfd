import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import type { PageDocument } from "../model/page.ts";
import type { ProfilesDocument } from "../model/profiles-page.ts";
import { writeWhole } from "./write-whole.ts";

/**
 * The web UI with one document in it, in one file: it loads nothing, and its policy lets nothing run but the one
 * script in it. Names in the document are data of others; they stand in JSON that cannot end its element, and the
 * script shows them as text only.
 */
export function pageHtml(page: Shown): string {
  const script = built("ui.js").replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
  const style = built("ui.css");
  const policy = `default-src 'none'; script-src '${digest(script)}'; style-src '${digest(style)}'; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Longpole</title>
<style>${style}</style>
</head>
<body>
<div id="root"></div>
${embedded(page)}
<script type="module">${script}</script>
</body>
</html>
`;
}

/** What the UI draws. */
type Shown = PageDocument | ProfilesDocument;

/** Characters from which on a document is packed: below, it can be read with any editor. */
const PACKED = 1 << 20;

/** The document as an element that runs nothing: JSON that cannot end it, or the same packed. */
function embedded(page: Shown): string {
  const json = JSON.stringify(page);
  if (json.length >= PACKED)
    return `<script type="text/plain" id="page" data-packed="gzip">${gzipSync(json).toString("base64")}</script>`;
  return `<script type="application/json" id="page">${json.replaceAll("<", "\\u003c")}</script>`;
}

/** Writes the page whole or not at all. Throws InputError where `file` cannot be written. */
export const writePage = (file: string, page: Shown): Promise<void> => writeWhole(file, pageHtml(page));

/** What the build makes of src/ui, which stands in dist in the sources as in the package. */
const built = (name: string): string => readFileSync(new URL(`../../dist/ui/${name}`, import.meta.url), "utf8");

const digest = (text: string): string => `sha256-${createHash("sha256").update(text).digest("base64")}`;
