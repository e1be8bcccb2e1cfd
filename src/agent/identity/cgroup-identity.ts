/** Who runs a process, as far as the path of its control group says; "" for what it does not. */
export interface CgroupIdentity {
  readonly containerId: string;
  /** "docker", "containerd", "cri-o", "podman", "lxc", "systemd-nspawn"; "" where the path does not tell which */
  readonly runtime: string;
  readonly podUid: string;
  /** unit of systemd outside of containers, with its ending */
  readonly unit: string;
}

const NOBODY: CgroupIdentity = { containerId: "", runtime: "", podUid: "", unit: "" };

/** Ids of containers are 64 hexadecimal digits; AWS Fargate has 32 and a number, Garden and others a UUID. */
const ID = "[0-9a-f]{64}|[0-9a-f]{32}-\\d{8,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){4,5}";
const SCOPE = new RegExp(`^(?:(docker|cri-containerd|crio|libpod|containerd|nerdctl)-)?(${ID})(?:\\.scope)?$`);
const RUNTIMES: Readonly<Record<string, string>> = {
  docker: "docker",
  "cri-containerd": "containerd",
  containerd: "containerd",
  nerdctl: "containerd",
  crio: "cri-o",
  libpod: "podman",
};

/**
 * Reads the text of /proc/PID/cgroup: `HIERARCHY:CONTROLLERS:PATH` a line, of version 1, 2 or both. Paths of Docker,
 * containerd, CRI-O, Podman, LXC, ECS and systemd, with the cgroupfs driver and with systemd's, within each other too: the
 * innermost container counts.
 */
export function cgroupIdentity(text: string): CgroupIdentity {
  let best = NOBODY;
  for (const path of cgroupPaths(text).values()) {
    const found = identityOf(path);
    if (rank(found) > rank(best)) best = found;
  }
  return best;
}

const rank = ({ containerId, podUid, runtime, unit }: CgroupIdentity): number =>
  (containerId === "" ? 0 : 8) + (podUid === "" ? 0 : 4) + (runtime === "" ? 0 : 2) + (unit === "" ? 0 : 1);

/** Paths by controller; "" is version 2, "name=systemd" the hierarchy that only groups. */
export function cgroupPaths(text: string): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path !== undefined) for (const controller of controllers!.split(",")) paths.set(controller, path);
  }
  return paths;
}

function identityOf(path: string): CgroupIdentity {
  const parts = path.split("/").filter((part) => part !== "");
  let { containerId, runtime, podUid, unit } = NOBODY;
  for (const [i, part] of parts.entries()) {
    podUid = podOf(part) || podUid;
    const before = parts[i - 1] ?? "";
    const [, prefix, id] = SCOPE.exec(part) ?? [];
    // containerd's "k8s.io" and CRI's `kubepods-…:cri-containerd:ID`.
    const [, byColon, idByColon] = /:(cri-containerd|docker|crio):([0-9a-f]{64})$/.exec(part) ?? [];
    if (idByColon !== undefined) [containerId, runtime] = [idByColon, RUNTIMES[byColon!]!];
    // Podman's and CRI-O's monitor of a container stands in a group of its own.
    else if (/^(?:libpod|crio)-conmon-/.test(part)) [containerId, runtime] = ["", ""];
    else if (id !== undefined && !(podUid !== "" && podOf(part) !== ""))
      [containerId, runtime] = [id, RUNTIMES[prefix ?? ""] ?? runtimeOfFolder(before)];
    else if (/^lxc(?:\.payload)?$/.test(before) || part.startsWith("lxc.payload."))
      [containerId, runtime] = [part.replace(/^lxc\.payload\./, ""), "lxc"];
    else if (before === "machine.slice" && part.startsWith("machine-") && part.endsWith(".scope"))
      [containerId, runtime] = [unescapeUnit(part.slice("machine-".length, -".scope".length)), "systemd-nspawn"];
    if (part.endsWith(".service")) unit = part;
  }
  return { containerId, runtime, podUid, unit: containerId === "" ? unit : "" };
}

/** `/docker/ID`, `/libpod_parent/libpod-ID`, `/ecs/TASK/ID` and `/kubepods/burstable/podUID/ID`, of which the last does not say. */
const runtimeOfFolder = (folder: string): string =>
  folder === "docker" || folder === "actions_job" ? "docker" : folder === "libpod_parent" ? "podman" : "";

/** `podUID`, `kubepods-burstable-podUID.slice` with "_" for "-"; static pods have 32 digits without any. */
function podOf(part: string): string {
  const [, uid] =
    /(?:^|-)pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?(?:$|:)/.exec(part) ?? [];
  return uid?.replaceAll("_", "-") ?? "";
}

/** systemd writes other characters as `\x2d`. */
const unescapeUnit = (text: string): string =>
  text.replaceAll(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)));
