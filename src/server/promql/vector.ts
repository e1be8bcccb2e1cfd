import type { Labels } from "./labels.ts";

export interface VectorSample {
  readonly labels: Labels;
  readonly value: number;
}
