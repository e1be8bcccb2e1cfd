import type { JSX, ReactNode } from "react";
import styles from "./panel.module.css";

export interface PanelProps {
  readonly title: string;
  readonly sub?: ReactNode;
  readonly tools?: ReactNode;
  readonly children: ReactNode;
  readonly className?: string | undefined;
}

/** A titled part of a screen. */
export function Panel({ title, sub, tools, children, className }: PanelProps): JSX.Element {
  return (
    <section className={`${styles["panel"]} ${className ?? ""}`} aria-label={title}>
      <div className={styles["head"]}>
        <h2>{title}</h2>
        {sub !== undefined && <span className={styles["sub"]}>{sub}</span>}
        {tools !== undefined && <span className={styles["tools"]}>{tools}</span>}
      </div>
      {children}
    </section>
  );
}

/** What is missing here, and what would bring it. */
export function Empty({ children }: { children: ReactNode }): JSX.Element {
  return <div className={styles["empty"]}>{children}</div>;
}
