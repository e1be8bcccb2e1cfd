import { type JSX, useMemo } from "react";
import type { FlameTree } from "../../model/flame-tree.ts";
import { digits, ms, percent, plural } from "../parts/numbers.ts";
import { Panel } from "../parts/panel.tsx";
import type { Range } from "../state/page-state.ts";
import { useLater } from "../state/use-later.ts";
import { usePageState } from "../state/use-page-state.ts";
import { FlameCanvas } from "./flame-canvas.tsx";
import { functionTotals, layOutFlame } from "./flame-layout.ts";
import styles from "./flame.module.css";
import { sandwich } from "./sandwich.ts";

/** Functions in the table; the others are counted. */
const SHOWN = 200;

export interface FlameGraphProps {
  readonly tree: FlameTree;
  /** time without anything to do, which is not in the tree; in its unit */
  readonly idle: number;
  readonly search: string;
}

/** One profile as a flame graph, a function from both sides, and the same as a table. */
export function FlameGraph({ tree, idle, search }: FlameGraphProps): JSX.Element {
  const [state, go] = usePageState();
  const { isUpright, isDifference, range } = state;
  const middle = useMemo(
    () => (state.function === "" ? -1 : tree.functions.findIndex(([name]) => name === state.function)),
    [tree, state.function],
  );
  const setMiddle = (of: number): void => go({ function: tree.functions[of]?.[0] ?? "", range: undefined });
  const keepRange = useLater((seen: Range | undefined) => go({ range: seen }, true));
  const amount = amountIn(tree);
  const sides = useMemo(() => (middle < 0 ? undefined : sandwich(tree, middle)), [tree, middle]);
  const shared = { search, isDifference, amount, open: setMiddle };
  const tools = (
    <>
      <button aria-pressed={isUpright} onClick={() => go({ isUpright: !isUpright }, true)}>
        {isUpright ? "Root below" : "Root above"}
      </button>
      {tree.before !== undefined && (
        <button aria-pressed={isDifference} onClick={() => go({ isDifference: !isDifference }, true)}>
          {tree.type.startsWith("critical path") ? "Against the typical request" : "Against the baseline"}
        </button>
      )}
      {middle >= 0 && <button onClick={() => setMiddle(-1)}>Back to the whole</button>}
    </>
  );
  const sub = `${amount(tree.value[0] ?? 0)} of ${tree.type}${idle > 0 ? `, and ${amount(idle)} idle` : ""}${tree.left > 0 ? `; ${plural(tree.left, "call")} too narrow to be seen are left out` : ""}`;
  return (
    <>
      {sides === undefined ? (
        <Panel title={tree.title} sub={sub} tools={tools} className={styles["flame"]}>
          <FlameCanvas tree={tree} isUpright={isUpright} range={range} keepRange={keepRange} {...shared} />
        </Panel>
      ) : (
        <>
          <Panel title={`Who calls ${tree.functions[middle]![0]}`} sub={sub} tools={tools} className={styles["flame"]}>
            <FlameCanvas key={middle} tree={sides.callers} isUpright {...shared} />
          </Panel>
          <Panel title={`What ${tree.functions[middle]![0]} calls`} className={styles["flame"]}>
            <FlameCanvas key={middle} tree={sides.callees} isUpright={false} {...shared} />
          </Panel>
        </>
      )}
      <FunctionTable tree={tree} search={search} amount={amount} open={setMiddle} />
    </>
  );
}

/** Amounts of a tree in words, by its unit. */
function amountIn({ unit }: FlameTree): (value: number) => string {
  const factor = { nanoseconds: 1e-6, microseconds: 1e-3, milliseconds: 1, seconds: 1e3 }[unit];
  return factor === undefined ? (value) => `${digits(value)} ${unit}` : (value) => ms(value * factor);
}

interface TableProps {
  readonly tree: FlameTree;
  readonly search: string;
  readonly amount: (value: number) => string;
  readonly open: (of: number) => void;
}

/** The same as a table: what keyboards and screen readers use. */
function FunctionTable({ tree, search, amount, open }: TableProps): JSX.Element {
  const totals = useMemo(() => functionTotals(tree, layOutFlame(tree)), [tree]);
  const all = tree.value[0] ?? 0;
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const order = useMemo(
    () =>
      [...tree.functions.keys()]
        .filter((of) => totals.total[of]! > 0)
        .toSorted((a, b) => totals.self[b]! - totals.self[a]! || totals.total[b]! - totals.total[a]!),
    [tree, totals],
  );
  const found = order.filter((of) => words.every((word) => tree.functions[of]!.join(" ").toLowerCase().includes(word)));
  return (
    <Panel
      title="By function"
      sub={found.length > SHOWN ? `the first ${SHOWN} of ${digits(found.length)}` : plural(found.length, "function")}
    >
      <div className={styles["table"]}>
        <table>
          <thead>
            <tr>
              <th>function</th>
              <th>self</th>
              <th>share</th>
              <th>with callees</th>
              <th>share</th>
            </tr>
          </thead>
          <tbody>
            {found.slice(0, SHOWN).map((of) => (
              <tr key={of}>
                <td>
                  <button onClick={() => open(of)} title="its callers and what it calls">
                    {tree.functions[of]![0]}
                  </button>{" "}
                  <span className={styles["muted"]}>{tree.functions[of]![1]}</span>
                </td>
                <td>{amount(totals.self[of]!)}</td>
                <td>{percent(all > 0 ? totals.self[of]! / all : 0)}</td>
                <td>{amount(totals.total[of]!)}</td>
                <td>{percent(all > 0 ? totals.total[of]! / all : 0)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
