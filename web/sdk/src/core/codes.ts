// What a code says: a sentence, and what to do next. The codes themselves are generated from protocol/codes.py.
import { REASONS, type Retry, VERDICTS } from "../gen/constants.ts";

/** The verdict for any number, known or not; numbers outside the ranges of the protocol (a plain 1006, say) are passing trouble. */
export function retryVerdict(code: number): Retry {
  return VERDICTS[Math.floor(code / 100)] ?? "retry";
}

/**
 * `"4101 the server is draining (retry elsewhere): three more seconds"`, also for a number this version does not know. A reason with all of
 * the code's own words in it takes their place.
 */
export function describe(code: number, reason = ""): string {
  const own = REASONS[code] ?? "unknown code";
  const words = new Set(reason.split(" "));
  const isSaid = own.split(" ").every((word) => words.has(word));
  return `${code} ${isSaid ? reason : own} (${retryVerdict(code)})${reason && !isSaid ? `: ${reason}` : ""}`;
}
