import { expect, test } from "vitest";
import { networkNames } from "./network.ts";

test("names fit the kernel's 15 bytes, addresses are the two hosts of a network of four", () => {
  expect(networkNames("0041beef-0000-4000-8000-000000000000", 1)).toEqual({
    namespace: "longpole-0041beef1",
    link: "lp0041beef1",
    // 0x41 + 1 = 66: the third network of 198.18.1.0.
    hostAddress: "198.18.1.9",
    innerAddress: "198.18.1.10",
  });
  const last = networkNames("ffffffff-0000-4000-8000-000000000000", 0);
  expect(last.innerAddress).toBe("198.18.255.254");
  expect(`${last.link}i`.length).toBeLessThanOrEqual(15);
});
