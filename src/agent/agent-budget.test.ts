import { expect, test } from "vitest";
import { AgentBudget } from "./agent-budget.ts";

const MB = 1e6;

test("the start does not count, a peak is not a mean, and after giving something up it looks anew", () => {
  const budget = new AgentBudget(0.01, 250 * MB);
  const judge = (cores: number, bytes = 100 * MB): string => budget.judge(cores, bytes) ?? "-";
  const start = Array.from({ length: 6 }, () => judge(0.5));
  expect(start.join("")).toBe("------");
  // Mean of 5 × 0.5 % and one peak of 3 %: (2.5 + 3) / 6 = 0.92 %.
  expect([0.005, 0.005, 0.005, 0.005, 0.005, 0.03].map((cores) => judge(cores)).join("")).toBe("------");
  // (4 × 0.5 % + 3 % + 2 %) / 6 = 1.17 %.
  expect(judge(0.02)).toBe("processor");
  expect([0.02, 0.02, 0.02, 0.02, 0.02, 0.02].map((cores) => judge(cores)).join("")).toBe("------");
  expect(judge(0.02)).toBe("processor");
});

test("memory counts at once, since what is full is full", () => {
  const budget = new AgentBudget(0.01, 250 * MB);
  for (let i = 0; i < 6; i++) expect(budget.judge(0, 400 * MB)).toBeUndefined();
  expect(budget.judge(0, 251 * MB)).toBe("memory");
  expect(budget.judge(0, 249 * MB)).toBeUndefined();
});
