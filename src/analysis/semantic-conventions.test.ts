import { expect, test } from "vitest";
import { isOutcome } from "./semantic-conventions.ts";

test.each([
  "http.response.status_code",
  "http.status_code",
  "http.status_text",
  "rpc.grpc.status_code",
  "db.response.status_code",
  "otel.status_code",
  "error",
  "error.type",
  "exception.message",
])("%s tells how a request ended", (key) => expect(isOutcome(key)).toBe(true));

test.each(["http.route", "tenant", "http.request.body.size", "user.status_page", "errors_wanted", "app.region"])(
  "%s tells what was asked for",
  (key) => expect(isOutcome(key)).toBe(false),
);
