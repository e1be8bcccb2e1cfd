import type { JSX } from "react";
import { digits, plural } from "../parts/numbers.ts";
import { Empty, Panel } from "../parts/panel.tsx";
import { useSelection } from "../state/selection.ts";
import type { ServerStatus } from "../state/server-status.ts";
import styles from "./home.module.css";

/** No requests to look at: which source is missing, and the command that adds it. */
export function NoRequests(): JSX.Element {
  const { link } = useSelection();
  if (link.kind !== "heard") {
    return (
      <Empty>
        No requests in this window. Services send traces with OTEL_EXPORTER_OTLP_ENDPOINT set to the OTLP address of
        longpole up; the Data screen says what was read.
      </Empty>
    );
  }
  return <Sources status={link.status} />;
}

function Sources({ status }: { status: ServerStatus }): JSX.Element {
  const { refresh } = useSelection();
  const { otlpHttp = "HOST:4318", otlpGrpc, api } = status.listening;
  const came = status.ingest["traces"]?.stored ?? 0;
  const sources: readonly (readonly [string, string, string])[] = [
    ["traces", "requests, and where their time goes", `OTEL_EXPORTER_OTLP_ENDPOINT=http://${otlpHttp}`],
    ["metrics", "resources, ceilings, what limits", `longpole agent --endpoint http://${otlpHttp}`],
    ["profiles", "the line of code", `longpole agent --endpoint http://${otlpHttp}`],
  ];
  return (
    <Panel
      title="No requests in this window"
      sub="what is missing, and what brings it"
      tools={<button onClick={refresh}>Look again</button>}
    >
      <table className={styles["sources"]}>
        <tbody>
          {sources.map(([signal, brings, command]) => {
            const received = status.ingest[signal]?.received ?? 0;
            return (
              <tr key={signal}>
                <td>{signal}</td>
                <td>{received === 0 ? "nothing came yet" : `${digits(received)} came since the start`}</td>
                <td className={styles["muted"]}>{brings}</td>
                <td>{received === 0 && <code>{command}</code>}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <Empty>
        {came > 0 && `${plural(came, "span")} are stored: a longer window may hold them. `}
        {otlpGrpc !== undefined && `OTLP over gRPC: http://${otlpGrpc}. `}This page and the API: http://{api}.
      </Empty>
    </Panel>
  );
}
