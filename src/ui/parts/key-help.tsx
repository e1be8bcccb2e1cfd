import { type JSX, useEffect, useRef } from "react";
import styles from "../app.module.css";
import { VIEW_KEYS, VIEWS } from "../state/page-state.ts";
import { nameOfView } from "./tabs.tsx";

const KEYS: readonly (readonly [string, string])[] = [
  ["?", "these keys"],
  ["Ctrl K, /", "search or jump"],
  ["1 – 9", `the first nine screens: ${VIEWS.slice(0, 9).map(nameOfView).join(", ")}`],
  ["g, then", VIEWS.map((view) => `${VIEW_KEYS[view]} ${nameOfView(view)}`).join(", ")],
  ["j, k", "next and previous finding"],
  ["Enter", "open or close a finding"],
  ["f, b", "traces: next and previous span"],
  ["a, d", "traces and flame graph: pan"],
  ["↑, ↓", "traces: zoom in and out"],
  ["w, s, Ctrl wheel", "flame graph: zoom in and out"],
  ["[, ]", "traces: collapse and expand"],
  ["Ctrl F", "flame graph and traces: search"],
  ["0, Esc", "flame graph and traces: back to the whole"],
];

export function KeyHelp({ close }: { close: () => void }): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} className={styles["keys"]} onClose={close} aria-label="Keys">
      <h2>Keys</h2>
      <dl>
        {KEYS.map(([key, does]) => (
          <KeyRow key={key} name={key} does={does} />
        ))}
      </dl>
      <p>
        <button onClick={() => dialog.current?.close()}>Close</button>
      </p>
    </dialog>
  );
}

function KeyRow({ name, does }: { name: string; does: string }): JSX.Element {
  return (
    <>
      <dt>
        <kbd>{name}</kbd>
      </dt>
      <dd>{does}</dd>
    </>
  );
}
