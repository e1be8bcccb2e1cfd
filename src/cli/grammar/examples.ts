/** What `--help` says below the options of all commands. */
export const EXIT_CODES = `
Exit codes: 0 done, nothing at or above --fail-on; 1 something at or above it;
2 wrong usage or unreadable input; 3 too little data to tell.

What the words and figures of a report mean: docs/reading-a-report.md

Try: longpole analyze examples/missing-index/fault/traces.otlp.pb.gz`;

/** Below the options of each command. */
export const EXAMPLES = {
  analyze: `
Examples:
  longpole analyze examples/missing-index/fault/traces.otlp.pb.gz
  longpole analyze examples/small-pool/fault --baseline examples/small-pool/fixed --fail-on warning
  longpole analyze examples/small-pool/fault --objective 'GET /api/orders/:id p99 < 50ms'`,
  up: `
Examples:
  longpole up
  longpole up --data /var/lib/longpole --config longpole.yaml
  longpole up --clickhouse http://clickhouse-1:8123 --clickhouse http://clickhouse-2:8123`,
  agent: `
Needs nothing but /proc; what it can see besides, and what would add to it: longpole doctor
OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _TIMEOUT, _COMPRESSION and _CERTIFICATE are honoured.

Examples:
  longpole agent
  longpole agent --endpoint https://telemetry.example.org:4318 --interval 30s`,
  mcp: `
Tools: diagnose and trace (of a running server: LONGPOLE_URL, LONGPOLE_TOKEN), analyze and trace (of files), what_if (of both).

Example, as a client's configuration:
  { "mcpServers": { "longpole": { "command": "longpole", "args": ["mcp"] } } }

Example, by hand:
  printf '%s\\n' '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' | longpole mcp`,
  diagnose: `
Examples:
  longpole diagnose
  longpole diagnose --last 1h --endpoint /orders --fail-on critical
  longpole diagnose --watch --objective 'GET /orders p99 < 300ms'`,
  demo: `
Examples:
  longpole demo
  longpole demo --fault hungry-ingest --fix
  longpole demo --fault small-pool --record recordings/small-pool
  longpole demo --fault missing-index --no-ui
  longpole demo --list`,
  compare: `
Examples:
  longpole compare examples/healthy/calm examples/healthy/calm
  longpole compare examples/missing-index/fixed examples/missing-index/fault --fail-on regression --threshold 10%`,
  "what-if": `
Changes:
  service=S,operation=OP,time=F      OP's own work (of a call: the callee's) takes F times as long
  service=S,operation=CALL,remove    the call is no longer made
  service=S,operation=CALL,cache=H   a share H of the calls is no longer made
  service=S,operation=CALL,batch     a loop of the call becomes one call
  service=S,operation=OP,parallel    OP's calls that don't need each other run together
  service=S,operation=OP,retries=N   at most N retries; timeout=MS cuts the calls
  service=S,pool:NAME=N              N connections per instance of S in its pool towards NAME
  service=S,replicas=N               N instances of S, each with its own host, threads and pools
  service=S,cpu=N                    N cores per instance of S
  host=H,without=S                   S no longer shares the host H

Example:
  longpole what-if examples/missing-index/fault/traces.otlp.pb.gz \\
    --change 'service=orders,operation=pg.query:SELECT shop,time=0.1'`,
  "critical-path": `
Example:
  longpole critical-path examples/missing-index/fault/traces.otlp.pb.gz --limit 3
  longpole critical-path examples/missing-index/fault/traces.otlp.pb.gz --json | head -1`,
  flame: `
Reads OTLP profiles, pprof, JFR, .cpuprofile, .heapprofile, folded stacks and the output of perf script.

Example:
  printf 'main;parse 7\\nmain;write 3\\n' | longpole flame -
  printf 'main;parse 7\\nmain;write 3\\n' | longpole flame - --html /tmp/flame.html`,
  record: `
Any language, no server. What this host lets be seen: longpole doctor

Examples:
  longpole record --seconds 5 -- sh -c 'dd if=/dev/zero of=/tmp/x bs=4k count=2000 oflag=dsync'
  longpole record -p "$(pgrep -n node)" --off-cpu --seconds 5 --html /tmp/waits.html`,
  trace: `
Examples:
  longpole trace --list
  longpole trace fsync --seconds 5
  longpole trace 'tracepoint:syscalls:sys_enter_openat { @[comm] = count(); }'`,
  doctor: `
Attaches probes for a moment and takes them off again. LONGPOLE_PROBE names a helper that stands elsewhere.

Example:
  longpole doctor --json`,
  changepoints: `
Example:
  printf '1,10\\n2,11\\n3,10\\n4,11\\n5,10\\n6,20\\n7,21\\n8,20\\n9,21\\n10,20\\n' | longpole changepoints -`,
  ramp: `
Load goes to this machine only, unless --allow-remote names another host.
Latency is counted from the moment at which a request was due, so that a server that stalls cannot hide it.

Examples:
  longpole ramp http://127.0.0.1:8080/orders
  longpole ramp http://127.0.0.1:8080/orders --objective 'p99 < 300ms' --start 50 --step +50 --max 1000
  longpole ramp http://127.0.0.1:8080/orders --receive 4318 --record knee
  printf '3 /orders\\n1 POST /orders/recount\\n' | longpole ramp http://127.0.0.1:8080/ --urls -`,
  usl: `
Example:
  printf '1,65\\n18,996\\n36,1652\\n72,1853\\n108,1829\\n144,1775\\n216,1702\\n' | longpole usl -`,
} as const;
