import { type JSX, useMemo, useState } from "react";
import type { MapEdge } from "../../model/page.ts";
import { Panel } from "../parts/panel.tsx";
import { digits, ms, percent, plural } from "../parts/numbers.ts";
import { chosenEndpoint, chosenFinding, useSelection } from "../state/selection.ts";
import { foldMap, type FoldedMap, type FoldedNode } from "./fold-map.ts";
import { layOutMap, NODE, type MapLayout, type Point } from "./lay-out-map.ts";
import styles from "./map.module.css";

/** What a panel of the usual size shows at the size of other texts. */
const SMALLEST = { width: 760, height: 300 } as const;
/** Few services do not fill a large screen with large letters. */
const LARGEST = 1.5;
/** More are not read on one screen. */
const SHOWN = 30;

/** Services of the endpoint, coloured by their share of the slowest requests. */
export function MapPanel(): JSX.Element | null {
  const selection = useSelection();
  const chosen = chosenEndpoint(selection);
  const [showAll, setShowAll] = useState(false);
  const map = chosen?.drawn.map;
  const folded = useMemo(
    () => (map === undefined ? undefined : foldMap(map, showAll ? Infinity : SHOWN)),
    [map, showAll],
  );
  const place = useMemo(
    () => (folded === undefined ? undefined : layOutMap(folded, folded.edges.map(edgeText))),
    [folded],
  );
  if (chosen === undefined || folded === undefined || place === undefined || map === undefined) return null;
  const most = Math.max(...folded.nodes.map((node) => node.p99Ms), 0.001);
  return (
    <Panel
      title="Service map"
      sub={`${plural(map.nodes.length, "service")} in ${chosen.drawn.operation}`}
      tools={
        <>
          <span>
            time at the p99: 0 <span className={styles["ramp"]} /> {ms(most)}
          </span>
          <span>bar: utilisation</span>
          {map.nodes.length > SHOWN && (
            <button onClick={() => setShowAll(!showAll)}>{showAll ? "Fold" : `Show all ${map.nodes.length}`}</button>
          )}
        </>
      }
    >
      <div className={styles["scroll"]}>
        <Drawing map={folded} place={place} most={most} named={chosenFinding(selection)?.subject.service} />
      </div>
    </Panel>
  );
}

interface DrawingProps {
  readonly map: FoldedMap;
  readonly place: MapLayout;
  readonly most: number;
  /** the service that the open finding names */
  readonly named: string | undefined;
}

function Drawing({ map, place, most, named }: DrawingProps): JSX.Element {
  const { state, go } = useSelection();
  const heaviest = Math.max(...map.edges.map((edge) => edge.p99Ms), 0.001);
  return (
    <svg
      className={styles["svg"]}
      viewBox={viewBoxOf(place)}
      style={{ maxWidth: `${LARGEST * Math.max(place.width, SMALLEST.width)}px`, marginInline: "auto" }}
      preserveAspectRatio="xMidYMid meet"
      role="group"
      aria-label="Who calls whom"
    >
      {map.edges.map((edge, i) => {
        const a = place.at[edge.from]!;
        const b = place.at[edge.to]!;
        const [x1, x2] =
          a.x <= b.x ? [a.x + NODE.width / 2, b.x - NODE.width / 2] : [a.x - NODE.width / 2, b.x + NODE.width / 2];
        const through = place.textAt[i]!;
        const share = edge.p99Ms / heaviest;
        const color = share > 0.6 ? "--share-4" : share > 0.15 ? "--share-3" : "--rest";
        const text = edgeText(edge);
        return (
          <g key={`${edge.from} ${edge.to}`}>
            <title>{`${map.nodes[edge.from]!.name} → ${map.nodes[edge.to]!.name}: ${digits(edge.calls)} calls per request, ${ms(edge.p99Ms)} of the slowest requests`}</title>
            <path
              d={curve({ x: x1, y: a.y }, through, { x: x2, y: b.y })}
              fill="none"
              stroke={`var(${color})`}
              strokeWidth={1 + 3 * share}
            />
            {text !== "" && (
              <text className={styles["edgeText"]} x={through.x} y={through.y - 4} textAnchor="middle">
                {text}
              </text>
            )}
          </g>
        );
      })}
      {map.nodes.map((node, i) => (
        <Node
          key={node.members.join()}
          node={node}
          x={place.at[i]!.x - NODE.width / 2}
          y={place.at[i]!.y - NODE.height / 2}
          share={node.p99Ms / most}
          isNamed={node.members.includes(state.service === "" ? (named ?? "") : state.service)}
          choose={() => go({ service: node.members.includes(state.service) ? "" : node.members[0]! }, true)}
        />
      ))}
    </svg>
  );
}

/** The drawing in the middle; a small one is not blown up. */
function viewBoxOf({ width, height }: MapLayout): string {
  const shownWidth = Math.max(width, SMALLEST.width);
  const shownHeight = Math.max(height, SMALLEST.height);
  return [(width - shownWidth) / 2, (height - shownHeight) / 2, shownWidth, shownHeight].join(" ");
}

/** Level at both ends, through a point in between. */
function curve(from: Point, through: Point, to: Point): string {
  const first = (from.x + through.x) / 2;
  const second = (through.x + to.x) / 2;
  return `M${from.x} ${from.y}C${first} ${from.y} ${first} ${through.y} ${through.x} ${through.y}S${second} ${to.y} ${to.x} ${to.y}`;
}

/** What is worth a word on an edge: waits, and more than one call. */
function edgeText({ calls, waitMs, transitMs }: MapEdge): string {
  const parts = [];
  if (calls >= 1.5) parts.push(`${digits(calls)} calls`);
  if (waitMs >= 0.5) parts.push(`wait ${ms(waitMs)}`);
  if (transitMs >= 1) parts.push(`in transit ${ms(transitMs)}`);
  return parts.join(", ");
}

interface NodeProps {
  readonly node: FoldedNode;
  readonly x: number;
  readonly y: number;
  readonly share: number;
  readonly isNamed: boolean;
  readonly choose: () => void;
}

function Node({ node, x, y, share, isNamed, choose }: NodeProps): JSX.Element {
  const fill = share > 0.66 ? "--share-3" : share > 0.33 ? "--share-2" : share > 0.06 ? "--share-1" : "--panel";
  const used = node.utilisation;
  const inside = NODE.width - 14;
  const detail = `${ms(node.p99Ms)} · ${used === undefined ? (node.kind === "service" ? "not measured" : WORDS[node.kind]) : percent(used)}`;
  return (
    <g
      className={styles["node"]}
      data-hot={share > 0.66 || undefined}
      role="button"
      tabIndex={0}
      aria-pressed={isNamed}
      onClick={choose}
      onKeyDown={(event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        choose();
      }}
    >
      <title>{`${node.members.join(", ")}: ${ms(node.p99Ms)} of requests around the p99, ${ms(node.p50Ms)} around the median${used === undefined ? "" : `; ${node.resource ?? ""} ${percent(used)} in use`}`}</title>
      <rect
        x={x}
        y={y}
        width={NODE.width}
        height={NODE.height}
        rx={4}
        fill={`var(${fill})`}
        stroke={`var(${isNamed ? "--accent" : "--line"})`}
        strokeWidth={isNamed ? 2 : 1}
      />
      <text x={x + 7} y={y + 16} fontWeight={600}>
        {shortened(node.name)}
      </text>
      <text x={x + 7} y={y + 30} className={share > 0.66 ? "" : styles["small"]} style={{ fontSize: 10.5 }}>
        {detail}
      </text>
      <rect x={x + 7} y={y + 36} width={inside} height={4} fill="var(--line)" />
      {used !== undefined && (
        <rect
          x={x + 7}
          y={y + 36}
          width={inside * Math.min(1, used)}
          height={4}
          fill={`var(${used > 0.85 ? "--over" : share > 0.66 ? "--on-share" : "--muted"})`}
        />
      )}
    </g>
  );
}

const WORDS = { service: "", database: "database", messages: "queue", external: "external" } as const;

/** The end of a name tells more than its middle. */
const shortened = (name: string): string => (name.length <= 18 ? name : `${name.slice(0, 9)}…${name.slice(-8)}`);
