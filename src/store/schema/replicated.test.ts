import { expect, test } from "vitest";
import { replicated } from "./migrate.ts";
import { TABLES } from "./tables.ts";
import { VERSION_2 } from "./version-2.ts";
import { VERSION_3 } from "./version-3.ts";

test("every table of every version is one whose copies are kept alike", () => {
  const tables = [...TABLES, ...VERSION_2, ...VERSION_3].filter((statement) => statement.startsWith("CREATE TABLE"));
  expect(tables.length).toBeGreaterThan(15);
  for (const statement of tables) {
    const text = replicated(statement);
    expect(text).toMatch(/ENGINE = Replicated(Summing|Replacing)?MergeTree\b/);
    expect(text).not.toMatch(/ENGINE = (Summing|Replacing)?MergeTree\b|non_replicated/);
    expect(text).toContain(" replicated_deduplication_window = 10000");
    // Nothing else is another.
    expect(text.replace("Replicated", "").replace("replicated_ded", "non_replicated_ded")).toBe(statement);
  }
});

test("views and changes stay as they are", () => {
  for (const statement of [...TABLES, ...VERSION_2, ...VERSION_3].filter((text) => !text.startsWith("CREATE TABLE")))
    expect(replicated(statement)).toBe(statement);
});
