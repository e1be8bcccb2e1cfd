import type { JSX } from "react";
import type { ResourceRow } from "../../model/report.ts";
import { ago, moment, zone } from "../parts/clock.ts";
import { bytes } from "../parts/measure-text.ts";
import { digits, percent, plural } from "../parts/numbers.ts";
import { Empty, Panel } from "../parts/panel.tsx";
import { useServer, windowQuery } from "../state/ask-server.ts";
import { isServed } from "../state/load-page.ts";
import { Gauge, mostUsedFirst, UseTable } from "../screens/use-table.tsx";
import { useSelection } from "../state/selection.ts";
import { unixMs } from "../state/server-status.ts";
import styles from "./hosts.module.css";
import { type Collector, type HostEntry, type HostList, hostsOfPage, resourcesOf } from "./page-hosts.ts";

const HOSTS_SCHEMA = "longpole.hosts/1";

/** Hosts, what runs on them and how much they are used, and what is collected there: live of the server, else what the data tell. */
export function HostScreen(): JSX.Element {
  const { page } = useSelection();
  const answer = useServer<HostList>(isServed() ? `api/v1/hosts?${windowQuery()}` : undefined);
  if (answer.kind === "waiting") return <Empty>asking the server for its hosts …</Empty>;
  if (answer.kind === "answered" && answer.value.schema === HOSTS_SCHEMA)
    return <Hosts hosts={answer.value.hosts} note="" />;
  const note =
    answer.kind === "failed"
      ? `the server does not tell its hosts: ${answer.why}`
      : answer.kind === "answered"
        ? `this page reads "${HOSTS_SCHEMA}", the server speaks "${answer.value.schema}"`
        : "as far as these data tell";
  return <Hosts hosts={hostsOfPage(page)} note={note} />;
}

function Hosts({ hosts, note }: { hosts: readonly HostEntry[]; note: string }): JSX.Element {
  const { page, state, go } = useSelection();
  const open = hosts.find(({ host }) => host === state.host) ?? hosts[0];
  if (open === undefined) {
    return (
      <Empty>
        No host is named in these data. <code>longpole agent</code>, run on each host, brings its processes, metrics and
        profiles; spans and metrics of OpenTelemetry name theirs by the resource attribute host.name.
        {note !== "" && ` (${note})`}
      </Empty>
    );
  }
  return (
    <div className={styles["screen"]}>
      <Panel
        title="Hosts"
        sub={[plural(hosts.length, "host"), note].filter(Boolean).join(", ")}
        className={styles["list"]}
      >
        <ul>
          {hosts.map((host) => (
            <HostRow
              key={host.host}
              host={host}
              worst={mostUsedFirst(resourcesOf(page, host.host, hosts))[0]}
              isOpen={host === open}
              choose={() => go({ host: host.host }, true)}
            />
          ))}
        </ul>
      </Panel>
      <HostDetail host={open} rows={resourcesOf(page, open.host, hosts)} />
    </div>
  );
}

interface HostRowProps {
  readonly host: HostEntry;
  readonly worst: ResourceRow | undefined;
  readonly isOpen: boolean;
  readonly choose: () => void;
}

function HostRow({ host, worst, isOpen, choose }: HostRowProps): JSX.Element {
  const missing = host.collectors.filter((collector) => collector.mend !== "").length;
  return (
    <li>
      <button aria-current={isOpen} onClick={choose}>
        <b>{host.host}</b>
        {host.state === "silent" && <span className={styles["over"]}> ▲ silent</span>}
        <span className={styles["line"]}>
          {plural(host.services.length, "service")}
          {worst !== undefined && ` · ${worst.resource} ${percent(worst.utilisation)}`}
          {missing > 0 && ` · ${missing} not collected`}
        </span>
        {worst !== undefined && (
          <span className={styles["bar"]}>
            <Gauge share={worst.utilisation} />
          </span>
        )}
      </button>
    </li>
  );
}

function HostDetail({ host, rows }: { host: HostEntry; rows: readonly ResourceRow[] }): JSX.Element {
  const { link } = useSelection();
  const facts = [
    host.os,
    host.processors === undefined ? undefined : plural(host.processors, "processor"),
    host.memoryBytes === undefined ? undefined : `${bytes(host.memoryBytes)} of memory`,
    host.agentVersion === undefined ? undefined : `agent ${host.agentVersion}`,
    host.lastSeenUnixNs === undefined
      ? undefined
      : seen(host.lastSeenUnixNs, link.kind === "heard" ? unixMs(link.status.nowUnixNs) : undefined),
  ].filter((fact) => fact !== undefined);
  return (
    <div className={styles["detail"]}>
      <Panel title={host.host} sub={facts.join(" · ")}>
        <Collectors collectors={host.collectors} />
        {host.agent !== undefined && <AgentCost agent={host.agent} />}
      </Panel>
      <Panel title="Utilisation, saturation, errors" sub="of the host and of what runs on it; most used first">
        {rows.length === 0 ? (
          <Empty>
            Nothing measured this host in this window. <code>longpole agent</code> on it does, or metrics with its
            host.name.
          </Empty>
        ) : (
          <UseTable rows={rows} />
        )}
      </Panel>
      <Panel title="Services and processes" sub={plural(host.services.length, "service")}>
        <ServiceTable host={host} />
      </Panel>
    </div>
  );
}

function seen(lastUnixNs: string, nowMs: number | undefined): string {
  const last = unixMs(lastUnixNs);
  return nowMs === undefined ? `seen ${moment(last)}${zone()}` : `seen ${ago(nowMs - last)} ago`;
}

const COLLECTS_NOTHING: readonly string[] = ["none", "shed"];

function Collectors({ collectors }: { collectors: readonly Collector[] }): JSX.Element {
  if (collectors.length === 0) {
    return (
      <Empty>
        No agent runs here: others name this host in their metrics. <code>longpole agent</code> brings its processes,
        profiles and waits.
      </Empty>
    );
  }
  return (
    <div className={styles["table"]} role="group" aria-label="Collectors" tabIndex={0}>
      <table>
        <thead>
          <tr>
            {["collector", "by", "", "what adds the rest"].map((name, i) => (
              <th key={i}>{name}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {collectors.map((collector) => (
            <tr key={collector.name}>
              <td>{collector.name}</td>
              <td className={`${styles["by"]} ${COLLECTS_NOTHING.includes(collector.rung) ? styles["missing"] : ""}`}>
                {collector.rung}
              </td>
              <td className={styles["muted"]}>{collector.why}</td>
              <td>{collector.mend !== "" && <code>{collector.mend}</code>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function AgentCost({ agent }: { agent: NonNullable<HostEntry["agent"]> }): JSX.Element {
  return (
    <p className={styles["note"]}>
      The agent takes {percent(agent.cpuShare)} of a processor (at most {percent(agent.budgetCpuShare)}) and{" "}
      {bytes(agent.memoryBytes)} (at most {bytes(agent.budgetMemoryBytes)}); {bytes(agent.queueBytes)} wait to be sent
      {agent.dropped > 0 && <b className={styles["over"]}>, {digits(agent.dropped)} dropped</b>}
      {agent.shed.length > 0 && `; left out to stay within that: ${agent.shed.join(", ")}`}.
    </p>
  );
}

function ServiceTable({ host }: { host: HostEntry }): JSX.Element {
  const { page, go } = useSelection();
  if (host.services.length === 0) return <Empty>No service is known to run here.</Empty>;
  return (
    <div className={styles["table"]} role="group" aria-label="Services and processes" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th>service</th>
            <th>known by</th>
            <th className={styles["num"]}>processes</th>
            <th>look at</th>
          </tr>
        </thead>
        <tbody>
          {host.services.map(({ service, origin, processes }) => {
            const flame = page.flames.findIndex((held) => held.kind === "profile" && held.service === service);
            return (
              <tr key={service}>
                <td>{service}</td>
                <td className={styles["muted"]}>{origin ?? ""}</td>
                <td className={styles["num"]}>{processes === undefined ? "–" : digits(processes)}</td>
                <td className={styles["links"]}>
                  <button onClick={() => go({ view: "metrics", search: service })}>Metrics</button>
                  <button
                    onClick={() =>
                      go({ view: "search", query: `{ resource.service.name = ${JSON.stringify(service)} }` })
                    }
                  >
                    Traces
                  </button>
                  {flame >= 0 && <button onClick={() => go({ view: "flame", flame, search: "" })}>Profile</button>}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
