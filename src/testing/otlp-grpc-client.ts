import { type Client, Metadata, type ServiceError } from "@grpc/grpc-js";
import { decodeAnswer } from "./otlp-answers.ts";

/** OTLP's services by signal. */
const SERVICES = {
  traces: "trace.v1.TraceService",
  metrics: "metrics.v1.MetricsService",
  logs: "logs.v1.LogsService",
  profiles: "profiles.v1development.ProfilesService",
} as const;

export type GrpcAnswer = { readonly response: Buffer } | { readonly error: ServiceError };

/** A unary Export call, as a generated stub makes it. */
export function exportBy(client: Client, signal: keyof typeof SERVICES, body: Uint8Array): Promise<GrpcAnswer> {
  const path = `/opentelemetry.proto.collector.${SERVICES[signal]}/Export`;
  const asIs = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, asIs, asIs, Buffer.from(body), new Metadata(), {}, (error, response) => {
      resolve(error === null ? { response: response! } : { error });
    });
  });
}

/** The response message; throws the failure where there is none. */
export function okOf(answer: GrpcAnswer): Record<string, unknown> {
  if ("error" in answer) throw answer.error;
  return decodeAnswer("ExportResponse", answer.response);
}

export function errorOf(answer: GrpcAnswer): ServiceError {
  if ("response" in answer) throw new Error("it was taken");
  return answer.error;
}

/** The first detail of the google.rpc.Status of a failure. */
export function detailOf(error: ServiceError): { url: string; value: Uint8Array; status: Record<string, unknown> } {
  const status = decodeAnswer("Status", error.metadata.get("grpc-status-details-bin")[0] as Buffer);
  const [any] = status.details as { typeUrl: string; value: Uint8Array }[];
  return { url: any!.typeUrl, value: any!.value, status };
}
