import { describe, expect, test } from "vitest";
import { cgroupIdentity, cgroupPaths } from "./cgroup-identity.ts";

const ID = "3f1c0e8d9a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d";
const POD = "6c1f9b3e-2a4d-4f7e-9b1a-0d2e4f6a8b1c";
const POD_ = POD.replaceAll("-", "_");
const STATIC = "8e1f2a3b4c5d6e7f8091a2b3c4d5e6f7";

/** Texts of /proc/PID/cgroup as these systems have them, or the line that tells. */
const CASES: readonly (readonly [what: string, text: string, expected: Partial<ReturnType<typeof cgroupIdentity>>])[] =
  [
    [
      "docker, v1, cgroupfs",
      `12:memory:/docker/${ID}\n1:name=systemd:/docker/${ID}`,
      { containerId: ID, runtime: "docker" },
    ],
    ["docker, v2, systemd", `0::/system.slice/docker-${ID}.scope`, { containerId: ID, runtime: "docker" }],
    ["docker, v2, cgroupfs", `0::/docker/${ID}`, { containerId: ID, runtime: "docker" }],
    [
      "docker, rootless",
      `0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-${ID}.scope`,
      { containerId: ID, runtime: "docker", unit: "" },
    ],
    [
      "docker in docker: the inner one",
      `0::/docker/${"b".repeat(64)}/docker/${ID}`,
      { containerId: ID, runtime: "docker" },
    ],
    [
      "docker with systemd inside",
      `0::/system.slice/docker-${ID}.scope/system.slice/nginx.service`,
      { containerId: ID, runtime: "docker" },
    ],
    [
      "kubernetes, docker, v1, cgroupfs",
      `11:cpu,cpuacct:/kubepods/burstable/pod${POD}/${ID}`,
      { containerId: ID, podUid: POD },
    ],
    ["kubernetes, guaranteed", `4:cpu,cpuacct:/kubepods/pod${POD}/${ID}`, { containerId: ID, podUid: POD }],
    [
      "kubernetes, containerd, v2, systemd",
      `0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${POD_}.slice/cri-containerd-${ID}.scope`,
      { containerId: ID, podUid: POD, runtime: "containerd" },
    ],
    [
      "kubernetes, containerd, v1, colons",
      `10:cpu,cpuacct:/system.slice/containerd.service/kubepods-burstable-pod${POD_}.slice:cri-containerd:${ID}`,
      { containerId: ID, podUid: POD, runtime: "containerd", unit: "" },
    ],
    [
      "kubernetes, docker, systemd",
      `5:pids:/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${POD_}.slice/docker-${ID}.scope`,
      { containerId: ID, podUid: POD, runtime: "docker" },
    ],
    [
      "kubernetes, CRI-O, v2",
      `0::/kubepods.slice/kubepods-pod${POD_}.slice/crio-${ID}.scope`,
      { containerId: ID, podUid: POD, runtime: "cri-o" },
    ],
    [
      "CRI-O, v2, the container's own group below",
      `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${POD_}.slice/crio-${ID}.scope/container`,
      { containerId: ID, podUid: POD, runtime: "cri-o" },
    ],
    [
      "CRI-O's monitor is no container",
      `0::/kubepods.slice/kubepods-pod${POD_}.slice/crio-conmon-${ID}.scope`,
      { containerId: "", podUid: POD },
    ],
    ["static pod", `0::/kubepods/burstable/pod${STATIC}/${ID}`, { containerId: ID, podUid: STATIC }],
    [
      "the pod's own group",
      `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${POD_}.slice`,
      { containerId: "", podUid: POD },
    ],
    [
      "kind: kubernetes in docker",
      `0::/docker/${"c".repeat(64)}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod${POD_}.slice/cri-containerd-${ID}.scope`,
      { containerId: ID, podUid: POD, runtime: "containerd" },
    ],
    ["k3s, containerd, cgroupfs", `0::/kubepods/besteffort/pod${POD}/${ID}`, { containerId: ID, podUid: POD }],
    ["containerd by nerdctl", `0::/system.slice/nerdctl-${ID}.scope`, { containerId: ID, runtime: "containerd" }],
    ["containerd, namespace and id", `0::/default/${ID}`, { containerId: ID, runtime: "" }],
    ["podman, rootful, v2", `0::/machine.slice/libpod-${ID}.scope/container`, { containerId: ID, runtime: "podman" }],
    [
      "podman, rootless",
      `0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${ID}.scope/container`,
      { containerId: ID, runtime: "podman" },
    ],
    ["podman, v1, cgroupfs", `9:memory:/libpod_parent/libpod-${ID}`, { containerId: ID, runtime: "podman" }],
    ["podman's monitor is no container", `0::/machine.slice/libpod-conmon-${ID}.scope`, { containerId: "" }],
    ["lxc, v2", "0::/lxc.payload.web1/system.slice/nginx.service", { containerId: "web1", runtime: "lxc" }],
    ["lxc, v1", "8:cpu:/lxc/web1", { containerId: "web1", runtime: "lxc" }],
    [
      "systemd-nspawn",
      "0::/machine.slice/machine-web\\x2d1.scope/payload",
      { containerId: "web-1", runtime: "systemd-nspawn" },
    ],
    ["ECS on EC2", `9:perf_event:/ecs/8a1b2c3d-1111-2222-3333-444455556666/${ID}`, { containerId: ID }],
    [
      "ECS on Fargate",
      "9:perf_event:/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-1234567890",
      { containerId: "0123456789abcdef0123456789abcdef-1234567890" },
    ],
    ["a service of systemd", "0::/system.slice/postgresql.service", { containerId: "", unit: "postgresql.service" }],
    [
      "an instance of a template of systemd",
      "1:name=systemd:/system.slice/system-postgresql.slice/postgresql@15-main.service\n0::/system.slice/system-postgresql.slice/postgresql@15-main.service",
      { unit: "postgresql@15-main.service" },
    ],
    [
      "a service of a user",
      "0::/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service",
      { unit: "shop.service" },
    ],
    ["a login", "0::/user.slice/user-0.slice/session-3.scope", { containerId: "", unit: "" }],
    ["the root", "3:cpuset:/\n0::/", { containerId: "", podUid: "", unit: "", runtime: "" }],
    ["nothing", "", { containerId: "", podUid: "", unit: "" }],
    ["no cgroup file at all", "garbage\n::::\n1:x", { containerId: "", unit: "" }],
    ["a commit's hash is no container: 40 digits", `0::/build/${"d".repeat(40)}`, { containerId: "" }],
  ];

describe("whose a control group is", () => {
  test.each(CASES)("%s", (_, text, expected) => {
    expect(cgroupIdentity(text)).toMatchObject(expected);
  });
});

test("controllers that share a hierarchy share its path; a path may hold colons", () => {
  const paths = cgroupPaths(`4:cpu,cpuacct:/a:b\n1:name=systemd:/s\n0::/u\n`);
  expect([...paths]).toEqual([
    ["cpu", "/a:b"],
    ["cpuacct", "/a:b"],
    ["name=systemd", "/s"],
    ["", "/u"],
  ]);
});
