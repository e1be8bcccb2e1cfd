/**
 * A change to try out in the program model, parsed from the `--change` grammar
 * of `what-if`. Operations are named as the spans name them.
 */
export type Change =
  /** `service=S,operation=OP,time=F`: OP's own work takes F times as long; of a CLIENT span the callee's time */
  | { readonly kind: "time"; readonly service: string; readonly operation: string; readonly factor: number }
  /** `service=S,operation=CALL,remove` */
  | { readonly kind: "remove"; readonly service: string; readonly operation: string }
  /** `service=S,operation=CALL,cache=H`: a share H of the calls is not made */
  | { readonly kind: "cache"; readonly service: string; readonly operation: string; readonly hitRatio: number }
  /** `service=S,operation=CALL,batch`: a loop of the call within one parent becomes one call at the cost of one */
  | { readonly kind: "batch"; readonly service: string; readonly operation: string }
  /** `service=S,operation=OP,parallel`: the direct calls of OP that don't depend on each other run together */
  | { readonly kind: "parallel"; readonly service: string; readonly operation: string }
  /** `service=S,operation=OP,retries=N` */
  | { readonly kind: "retries"; readonly service: string; readonly operation: string; readonly retries: number }
  /** `service=S,operation=OP,timeout=MS` */
  | { readonly kind: "timeout"; readonly service: string; readonly operation: string; readonly timeoutMs: number }
  /** the kinds below need a capacity model */
  | { readonly kind: "pool"; readonly service: string; readonly pool: string; readonly size: number }
  | { readonly kind: "replicas"; readonly service: string; readonly replicas: number }
  | { readonly kind: "cpu"; readonly service: string; readonly cores: number }
  | { readonly kind: "without"; readonly host: string; readonly service: string };
