// Whether to try again, and after how long: what a failure says, how many there were in a row, and the pauses between them.
import { Backoff, type Random } from "./backoff.ts";
import { AUTH_CODES, type Credentials } from "./credentials.ts";
import { AuthError, ConnectError, type RtcBrokerError } from "./errors.ts";
import type { ClientOptions } from "./options.ts";

/** What a peer's own word means. */
export type Verdict = "again" | "fresh token" | "never";

/** How much of it a client has left. */
export class Patience {
  #failed = 0;
  readonly #pauses: Backoff;

  constructor(
    readonly options: ClientOptions,
    readonly credentials: Credentials,
    random: Random,
  ) {
    this.#pauses = new Backoff(options.backoffBase, options.backoffCap, random);
  }

  /** What to make of `told`, which the coordinator or a server said itself. Uses up the second chance a refused token has. */
  judge(told: RtcBrokerError): Verdict {
    if (AUTH_CODES.has(told.code)) return this.credentials.refused() ? "fresh token" : "never";
    return told.retry === "do not retry" ? "never" : "again";
  }

  /** Count one more attempt that failed, and say whether it was the last. */
  isOver(): boolean {
    this.#failed += 1;
    return this.#failed >= this.options.maxAttempts;
  }

  /** Seconds until the next round of servers; longer each time until `restore`. */
  pause(): number {
    return this.#pauses.next();
  }

  /** An attempt succeeded: failures are counted anew. */
  joined(): void {
    this.#failed = 0;
  }

  /** A connection has proved stable, or there is news: pauses are short again. */
  restore(): void {
    this.#pauses.reset();
  }
}

/** What a client ends with after this failure. */
export function finalError(failure: RtcBrokerError): ConnectError {
  const kind = AUTH_CODES.has(failure.code) ? AuthError : ConnectError;
  return new kind(failure.code, failure.reason);
}
