import { readFileSync } from "node:fs";
import { arch, hostname, release } from "node:os";

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64", ia32: "x86", arm: "arm32" };

/** Attributes of this machine, as the semantic conventions name them. */
export function hostAttributes(): Record<string, string> {
  return {
    "host.name": hostname(),
    "host.id": machineId(),
    "host.arch": ARCHITECTURES[arch()] ?? arch(),
    "os.type": "linux",
    "os.description": `${distribution()} (Linux ${release()})`,
  };
}

function machineId(): string {
  for (const path of ["/etc/machine-id", "/var/lib/dbus/machine-id"]) {
    try {
      const id = readFileSync(path, "utf8").trim();
      if (id !== "") return id;
    } catch {
      // The next one: images of containers have neither.
    }
  }
  return "";
}

function distribution(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]+)"?$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "Linux";
  } catch {
    return "Linux";
  }
}
