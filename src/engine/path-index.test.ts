import { expect, test } from "vitest";
import { traceFromText } from "../testing/trace-from-text.ts";
import { answeringService, childNodes, nodesOfService, siblingNodes, subtree } from "./path-index.ts";
import { buildWindow } from "./window.ts";

test("children, siblings, subtree and the nodes of a service", async () => {
  const window = await buildWindow(
    traceFromText(`
      shop GET /        |-----------|   server
        shop a           |-|
        shop b              |-----|     client
          cart POST          |---|      server
            cart c            ||
        shop d                    |-|`),
    async () => {},
  );
  const { paths, text } = window;
  const names = (nodes: Iterable<number>): string =>
    Array.from(nodes, (node) => text(paths.operation[node]!))
      .toSorted()
      .join(" ");
  const nodeOf = (name: string): number => [...paths.operation].findIndex((id) => text(id) === name);
  expect(names(childNodes(window, nodeOf("GET /")))).toBe("a b d");
  expect(names(siblingNodes(window, nodeOf("b")))).toBe("a b d");
  expect(names(siblingNodes(window, nodeOf("GET /")))).toBe("GET /");
  expect(names(subtree(window, nodeOf("b")))).toBe("POST b c");
  expect(names(nodesOfService(window, paths.service[nodeOf("c")]!))).toBe("POST c");
  expect(nodesOfService(window, -1)).toEqual([]);
  expect(answeringService(window, nodeOf("b"))).toBe("cart");
  expect(answeringService(window, nodeOf("a"))).toBeUndefined();
});
