// What the answers of the servers mean.
import { fields, parse, text } from "./json.ts";
import type { Fate } from "./outbox.ts";
import type { Answer } from "./requests.ts";
import type { Failure } from "./states.ts";

const UNKNOWN: ReadonlySet<string> = new Set(["UNKNOWN_ROOM", "UNKNOWN_CLIENT"]);

/** Of the room server, to a message. */
export function judgeMessage(answer: Answer): Fate {
  if (answer.status !== 200) return judgeDelivery(answer);
  const result = text(fields(parse(answer.body)).result);
  if (result === "SUCCESS") return "through";
  return UNKNOWN.has(result) ? "unknown" : "again";
}

/** Of the message server, to a message; and of anything in between. */
export function judgeDelivery({ status }: Answer): Fate {
  if (status === 200) return "through";
  return isFinal(status) ? "refused" : "again";
}

/** To a join that was not granted, or a message that was refused; `result` is the room server's, if it was one. */
export function judgeRefusal({ status, body }: Answer, result = ""): { why: Failure; detail: string } {
  const detail = result || text(fields(parse(body)).reason);
  if (status === 401 || status === 403) return { why: "unauthorized", detail };
  if (status === 429) return { why: "busy", detail };
  if (status === 0 || status >= 500) return { why: "unreachable", detail };
  return { why: "refused", detail };
}

/** Asking again changes nothing: RFC 9110 section 15.5, but for 408 and RFC 6585 section 4. */
function isFinal(status: number): boolean {
  return status >= 300 && status < 500 && status !== 408 && status !== 429;
}
