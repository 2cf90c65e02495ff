// What a code says: a sentence, and what to do next. The codes themselves are generated from protocol/codes.py.
import { REASONS, type Retry, VERDICTS } from "../gen/constants.ts";

/** The verdict for any number, known or not; numbers outside the ranges of the protocol (a plain 1006, say) are passing trouble. */
export function retryVerdict(code: number): Retry {
  return VERDICTS[Math.floor(code / 100)] ?? "retry";
}

/** `"4101 the server is draining (retry elsewhere)"`, also for a number this version does not know. */
export function describe(code: number): string {
  return `${code} ${REASONS[code] ?? "unknown code"} (${retryVerdict(code)})`;
}
