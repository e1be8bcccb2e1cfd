import { expect, test } from "vitest";
import { groupOperationNames } from "./operation-names.ts";

test.each([
  ["GET /users/8123", "GET /users/{id}"],
  ["GET /v1/orders", "GET /v1/orders"],
  ["POST /x/3f2b8c1e-1111-2222-3333-444455556666/y", "POST /x/{id}/y"],
  ["GET /a/ord_8f3k2j1x?page=2", "GET /a/{id}"],
  ["GET /blob/9f86d081884c7d65", "GET /blob/{id}"],
  ["SELECT * FROM t WHERE id = 3", "SELECT * FROM t WHERE id = ?"],
  ["hipstershop.CartService/GetCart", "hipstershop.CartService/GetCart"],
  ["pg.query:SELECT shop", "pg.query:SELECT shop"],
  ["mail to jo@example.org", "mail to {id}"],
  ["GET /s3/v2", "GET /s3/v2"],
])("%s -> %s", (name, grouped) => {
  expect(groupOperationNames([name]).get(name)).toBe(grouped);
});

test("a place of a path with more than 25 values is learned to be an identifier; with fewer it stays", () => {
  const names = (howMany: number): string[] =>
    Array.from(
      { length: howMany },
      (_, i) => `GET /shops/${String.fromCharCode(97 + (i % 26), 97 + Math.floor(i / 26))}town/items`,
    );
  expect(new Set(groupOperationNames(names(40)).values())).toEqual(new Set(["GET /shops/{id}/items"]));
  expect(new Set(groupOperationNames(names(20)).values()).size).toBe(20);
});
