import { type JSX, type KeyboardEvent, useEffect, useRef, useState } from "react";
import { endpointOf, type Selection, useSelection } from "../state/selection.ts";
import { VIEWS } from "../state/page-state.ts";
import { nameOfView } from "./tabs.tsx";
import styles from "./palette.module.css";

interface Target {
  readonly kind: string;
  readonly name: string;
  readonly open: () => void;
}

/** Rows shown; the others are counted. */
const SHOWN = 40;

/** Everything that has a name, by typing parts of it. */
export function Palette({ close }: { close: () => void }): JSX.Element {
  const selection = useSelection();
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  useEffect(() => dialog.current?.showModal(), []);
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = targetsOf(selection).filter(({ kind, name }) =>
    words.every((word) => `${kind} ${name}`.toLowerCase().includes(word)),
  );
  const shown = found.slice(0, SHOWN);
  const open = (target: Target | undefined): void => {
    if (target === undefined) return;
    dialog.current?.close();
    target.open();
  };
  const pressed = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (event.key === "Enter") open(shown[at]);
    else if (step !== 0) setAt(Math.max(0, Math.min(shown.length - 1, at + step)));
    else return;
    event.preventDefault();
  };
  return (
    <dialog ref={dialog} className={styles["palette"]} onClose={close} aria-label="Search or jump">
      <input
        className={styles["input"]}
        autoFocus
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={shown.length > 0 ? `palette-${at}` : undefined}
        aria-label="Search endpoints, findings, services, traces and screens"
        placeholder="endpoint, finding, service, trace id, screen"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={pressed}
      />
      <ul className={styles["list"]} id="palette-list" role="listbox" aria-label="Found">
        {shown.map((target, i) => (
          <li
            key={`${target.kind} ${target.name} ${i}`}
            id={`palette-${i}`}
            role="option"
            aria-selected={i === at}
            onClick={() => open(target)}
            onMouseMove={() => setAt(i)}
          >
            <span className={styles["kind"]}>{target.kind}</span>
            <span className={styles["name"]}>{target.name}</span>
          </li>
        ))}
      </ul>
      {found.length === 0 && <div className={styles["none"]}>Nothing here has these words in its name.</div>}
      {found.length > SHOWN && <div className={styles["none"]}>{found.length - SHOWN} more: type on.</div>}
    </dialog>
  );
}

function targetsOf({ page, go }: Selection): Target[] {
  const services = new Set(page.endpoints.flatMap((endpoint) => endpoint.map.nodes.map((node) => node.name)));
  return [
    ...VIEWS.map((view) => ({ kind: "screen", name: nameOfView(view), open: () => go({ view }) })),
    ...page.report.findings.map((finding) => ({
      kind: "finding",
      name: finding.title,
      open: () => go({ view: "findings", finding: finding.id, endpoint: Math.max(0, endpointOf(page, finding)) }),
    })),
    ...page.endpoints.map((endpoint, index) => ({
      kind: "endpoint",
      name: `${endpoint.service} ${endpoint.operation}`,
      open: () => go({ endpoint: index, trace: "", span: "", box: undefined }),
    })),
    ...[...services].map((service) => ({
      kind: "service",
      name: service,
      open: () => go({ view: "findings", service }),
    })),
    ...page.traces.map((trace) => ({
      kind: "trace",
      name: `${trace.traceId} ${page.endpoints[trace.endpoint]?.operation ?? ""}`,
      open: () => go({ view: "traces", trace: trace.traceId, span: "", endpoint: trace.endpoint }),
    })),
    ...page.flames.map((flame, index) => ({
      kind: flame.kind === "profile" ? "profile" : "path",
      name: flame.tree.title,
      open: () => go({ view: "flame", flame: index }),
    })),
  ];
}
