import { POSTGRES_SETTINGS } from "../../model/postgres-settings.ts";
import type { Figure } from "./figures.ts";
import { type Ask, figure, textOf, type Row } from "./rows.ts";

/** `postgresql.setting.NAME`: bytes, seconds or a plain number; what is on is 1; of others the text is an attribute. */
export async function readSettings(ask: Ask): Promise<Figure[]> {
  const rows = await ask.rows("SELECT name, setting, unit, vartype FROM pg_settings WHERE name = ANY($1)", [
    POSTGRES_SETTINGS,
  ]);
  return rows.map(settingFigure);
}

function settingFigure(row: Row): Figure {
  const text = textOf(row["setting"]);
  const name = `setting.${textOf(row["name"])}`;
  switch (textOf(row["vartype"])) {
    case "bool":
      return figure(name, "1", "gauge", text === "on" ? 1 : 0);
    case "integer":
    case "real": {
      const { unit, scale } = unitOf(textOf(row["unit"]));
      // -1 means "as another setting says", 0 often "never": told as they stand.
      return figure(name, unit, "gauge", Number(text) < 0 ? Number(text) : scale * Number(text));
    }
    default:
      return figure(name, "1", "gauge", 1, { "postgresql.setting.value": text });
  }
}

/** "8kB" and "16MB" are multiples in which the server counts. */
export function unitOf(unit: string): { readonly unit: string; readonly scale: number } {
  const bytes = /^(\d*)(B|kB|MB|GB|TB)$/.exec(unit);
  if (bytes !== null) {
    const power = ["B", "kB", "MB", "GB", "TB"].indexOf(bytes[2]!);
    return { unit: "By", scale: Number(bytes[1] || 1) * 1024 ** power };
  }
  const seconds = { us: 1e-6, ms: 1e-3, s: 1, min: 60, h: 3600, d: 86_400 }[unit];
  return seconds === undefined ? { unit: "1", scale: 1 } : { unit: "s", scale: seconds };
}
