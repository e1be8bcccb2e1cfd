/** The instrumentation scope of all that the hook sends. */
export const SCOPE = "longpole/node";
