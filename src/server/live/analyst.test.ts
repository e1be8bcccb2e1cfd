import { afterEach, expect, test } from "vitest";
import type { Task } from "./analysis-messages.ts";
import { Analyst } from "./analyst.ts";

const NOWHERE = { urls: ["http://127.0.0.1:1"], user: "default", password: "", database: "longpole" };
const TASK: Task = { kind: "trace", traceId: "0".repeat(32) };

let analyst: Analyst;
afterEach(() => analyst.close());

test("equal questions that overlap are one task; who comes when all had left is not given the end of theirs", async () => {
  analyst = new Analyst({ budget: 1000, operations: [] }, () => NOWHERE);
  const leaving = new AbortController();
  const answers = [analyst.ask(TASK, { signal: leaving.signal }), analyst.ask(TASK, { signal: leaving.signal })];
  expect(analyst.waiting).toBe(1);
  leaving.abort(new Error("gone"));
  for (const answer of answers) await expect(answer).rejects.toThrow("gone");
  const later = [analyst.ask(TASK), analyst.ask(TASK)];
  // The first, which the thread has not ended yet, and one for those who came.
  expect(analyst.waiting).toBe(2);
  for (const answer of later) await expect(answer).rejects.toMatchObject({ code: "unreachable" });
});
