import type { JSX } from "react";
import { FlameScreen } from "../flame/flame-screen.tsx";
import { Home } from "../home/home.tsx";
import type { View } from "../state/page-state.ts";
import { SearchScreen } from "../search/search-screen.tsx";
import { TraceScreen } from "../trace/trace-screen.tsx";
import { ConfigurationScreen } from "./configuration-screen.tsx";
import { DatabaseScreen } from "./database-screen.tsx";
import { DataScreen } from "./data-screen.tsx";
import { EndpointScreen } from "./endpoint-screen.tsx";
import { HostScreen } from "../hosts/host-screen.tsx";
import { MetricScreen } from "./metric-screen.tsx";
import { ResourceScreen } from "./resource-screen.tsx";
import { ThroughputScreen } from "./throughput-screen.tsx";

export const SCREENS: Readonly<Record<View, () => JSX.Element | null>> = {
  findings: Home,
  endpoint: EndpointScreen,
  traces: TraceScreen,
  search: SearchScreen,
  flame: FlameScreen,
  throughput: ThroughputScreen,
  resources: ResourceScreen,
  database: DatabaseScreen,
  configuration: ConfigurationScreen,
  hosts: HostScreen,
  metrics: MetricScreen,
  data: DataScreen,
};
