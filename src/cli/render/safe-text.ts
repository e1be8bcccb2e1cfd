/**
 * Telemetry is written by others: a span name can hold escape sequences that move
 * the cursor, retitle the window or reorder what is read. Everything that is
 * printed for a person passes through here first; JSON output escapes by itself.
 */

/**
 * `text` with everything that a terminal would act on shown as `\x1b`, `\u{202e}` or
 * the like; runs of white space, line breaks among them, become one space.
 */
export function safeText(text: string): string {
  if (PLAIN.test(text)) return text;
  return text
    .replace(/\s+/g, " ")
    .replace(UNSAFE, shown)
    .replace(/\p{Surrogate}/gu, "\ufffd");
}

/** Whether a terminal shows `text` as it is, on one line. */
export const isSafeText = (text: string): boolean => text.search(UNSAFE) < 0;

/** A copy of a JSON-like value in which every string is safe; keys stay as they are. */
export function safeTexts<T>(value: T): T {
  if (typeof value === "string") return safeText(value) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => safeTexts(item)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, safeTexts<unknown>(item)])) as T;
}

/** Printable ASCII with single spaces: nearly all text, told in a tenth of the time. */
const PLAIN = /^(?:[!-~]| (?! ))*$/;

/**
 * C0, DEL and C1 controls; marks, overrides and isolates of writing direction; invisible
 * characters that take no column, by which two names could look the same.
 */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

function shown(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}
