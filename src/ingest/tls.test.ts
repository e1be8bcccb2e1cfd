import { Client, credentials, status as Status } from "@grpc/grpc-js";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, expect, it } from "vitest";
import { httpPost } from "../testing/http-post.ts";
import { PROTOBUF, spans } from "../testing/otlp-bodies.ts";
import { errorOf, exportBy, okOf } from "../testing/otlp-grpc-client.ts";
import { RecordingSink } from "../testing/recording-sink.ts";
import { selfSigned } from "../testing/self-signed.ts";
import { type Ingest, startIngest } from "./start-ingest.ts";

/* OTLP over TLS, as a sender sees it that knows the certificate, that knows another, and that knows nothing of TLS. */

const own = selfSigned();
const other = selfSigned();
const sink = new RecordingSink();
let dir: string;
let ingest: Ingest;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "longpole-tls-"));
  const address = { host: "127.0.0.1", port: 0 };
  ingest = await startIngest({
    listen: { http: address, grpc: address },
    walDir: dir,
    sink,
    tls: own,
    limits: { minFreeBytes: 0 },
    log: () => {},
  });
});
afterAll(async () => {
  await ingest.stop();
  rmSync(dir, { recursive: true, force: true });
});

function postBy(ca: string): Promise<number> {
  const options = { host: "127.0.0.1", port: ingest.ports.http, path: "/v1/traces", method: "POST", ca };
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, headers: PROTOBUF }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode!));
    });
    sent.on("error", reject).end(spans());
  });
}

function clientOf(ca: string): Client {
  return new Client(`127.0.0.1:${ingest.ports.grpc}`, credentials.createSsl(Buffer.from(ca)));
}

it("is received over HTTP and gRPC from who knows the certificate, and stored", async () => {
  expect(await postBy(own.cert)).toBe(200);
  const client = clientOf(own.cert);
  expect(okOf(await exportBy(client, "traces", spans()))).toEqual({});
  client.close();
  await ingest.flush();
  expect(sink.spanIds()).toHaveLength(200);
});

it("is not sent by who knows another certificate", async () => {
  await expect(postBy(other.cert)).rejects.toMatchObject({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
  const client = clientOf(other.cert);
  expect(errorOf(await exportBy(client, "traces", spans())).code).toBe(Status.UNAVAILABLE);
  client.close();
});

it("leaves nothing in the clear: plain HTTP gets no answer, TLS of before 1.2 no connection", async () => {
  await expect(httpPost(ingest.ports.http!, "/v1/traces", spans())).rejects.toMatchObject({ code: "ECONNRESET" });
  for (const port of [ingest.ports.http!, ingest.ports.grpc!]) {
    const old = connect({ host: "127.0.0.1", port, ca: own.cert, maxVersion: "TLSv1.1", minVersion: "TLSv1" });
    const failure = await new Promise<Error>((resolve, reject) => {
      old.on("error", resolve).on("secureConnect", () => reject(new Error("it was let in")));
    });
    expect(failure.message).toMatch(/protocol|alert|handshake/i);
  }
});
