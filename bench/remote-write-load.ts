/**
 * The sender of `bench/remote-write.ts`, a process of its own so that its work is not counted as the receiver's.
 *
 *   tsx bench/remote-write-load.ts PORT SERIES ROUNDS FIRST_MS
 *
 * Sends ROUNDS samples of each of SERIES series by remote-write 1.0, 15 s apart from FIRST_MS on, 2,000 per request as
 * Prometheus does, over four connections. Prints how many seconds that took.
 */
import { Agent, request as httpRequest } from "node:http";
import { encodeWriteV1, labelsOf, snappied } from "../src/testing/remote-write-sample.ts";

const PER_REQUEST = 2000;
const CONNECTIONS = 4;
const [port, series, rounds, firstMs] = process.argv.slice(2).map(Number) as [number, number, number, number];
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });

/** Eight labels, as an instrumented service behind a scrape has them. */
const labels = Array.from({ length: series }, (_, i) =>
  labelsOf(`http_server_requests_${i % 50}_total`, {
    instance: `10.0.${i >> 8}.${i & 255}:8080`,
    job: `service-${i % 20}`,
    method: i % 3 === 0 ? "POST" : "GET",
    namespace: "shop",
    pod: `service-${i % 20}-5d8f7c9b4-${i.toString(36)}`,
    route: `/api/v1/items/${i % 100}`,
    status: String(200 + (i % 5)),
  }),
);

/** All made before the first is sent: what is measured shall not wait for the sender. */
const bodies: Uint8Array[][] = [];
for (let round = 0; round < rounds; round++) {
  const timestamp = firstMs + 15_000 * round;
  const ofRound: Uint8Array[] = [];
  for (let from = 0; from < series; from += PER_REQUEST) {
    const timeseries = labels.slice(from, from + PER_REQUEST).map((one, i) => ({
      labels: one,
      samples: [{ value: round * ((i % 17) + 1), timestamp }],
    }));
    ofRound.push(snappied(encodeWriteV1({ timeseries })));
  }
  bodies.push(ofRound);
}

function send(body: Uint8Array): Promise<void> {
  const headers = {
    "content-type": "application/x-protobuf",
    "content-encoding": "snappy",
    "x-prometheus-remote-write-version": "0.1.0",
  };
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path: "/api/v1/write", method: "POST", agent, headers };
    const sent = httpRequest(options, (response) => {
      let answer = "";
      response.on("data", (chunk: Buffer) => (answer += chunk.toString()));
      response.on("end", () => {
        if (response.statusCode === 204) resolve();
        else reject(new Error(`${response.statusCode}: ${answer}`));
      });
    });
    sent.on("error", reject).end(body);
  });
}

const startMs = performance.now();
// A series' samples in order: Prometheus takes them in no other.
for (const ofRound of bodies) await Promise.all(ofRound.map(send));
agent.destroy();
process.stdout.write(`${JSON.stringify({ seconds: (performance.now() - startMs) / 1000 })}\n`);
