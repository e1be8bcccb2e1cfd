/** Where figures and remarks go. */
export interface CollectorHooks {
  /** One OTLP metrics request (protobuf). A rejection is told, and what it held is lost. */
  readonly send: (body: Uint8Array) => Promise<void> | void;
  readonly tell: (level: "info" | "warn", text: string) => void;
}
