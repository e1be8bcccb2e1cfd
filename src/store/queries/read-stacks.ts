import { PROFILE_COLUMNS } from "../native/stack-blocks.ts";
import { inRange } from "./time-range.ts";

const WITHIN = `${inRange("time")} AND ({service:String} = '' OR service = {service:String})`;

export const READ_STACKS: string = `SELECT stack, any(frames) AS frames
FROM stacks
WHERE stack IN (SELECT stack FROM profile_samples WHERE ${WITHIN} AND has_stack = 1)
GROUP BY stack
ORDER BY stack`;

export const READ_PROFILES: string = `SELECT ${PROFILE_COLUMNS.join(", ")}
FROM profile_samples
WHERE ${WITHIN}
ORDER BY service, min(time) OVER (PARTITION BY profile), profile, number`;
