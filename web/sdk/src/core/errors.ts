// What the client raises: one tree, every error with a code, a reason and a retry verdict.
import { Code, REASONS, type Retry } from "../gen/constants.ts";
import { describe, retryVerdict } from "./codes.ts";

/** Everything the SDK raises on purpose. */
export class RtcBrokerError extends Error {
  override readonly name: string = "RtcBrokerError";
  /** A sentence; that of the code where nothing else is known. */
  readonly reason: string;

  /** @param code one of `Code`, or a plain WebSocket close code */
  constructor(
    readonly code: number,
    reason = "",
    message?: string,
  ) {
    super(message ?? describe(code, reason));
    this.reason = reason || (REASONS[code] ?? "");
  }

  /** What to do next, by the code. */
  get retry(): Retry {
    return retryVerdict(this.code);
  }
}

/** The client could not connect; `code` and `reason` say why the last try failed. */
export class ConnectError extends RtcBrokerError {
  override readonly name: string = "ConnectError";
}

/** The token was refused, and a fresh one, where there was a way to get one, was refused too. */
export class AuthError extends ConnectError {
  override readonly name: string = "AuthError";
}

/**
 * The application's token function failed, `why` says how. It is asked again, as a coordinator that is away is dialed again. Reported to
 * `client.on("error", ...)`.
 */
export class TokenUnavailable extends RtcBrokerError {
  override readonly name: string = "TokenUnavailable";

  constructor(why: string) {
    super(Code.TOKEN_UNAVAILABLE, `the token function failed: ${why}`);
  }
}

const NORMAL_CLOSURE = 1000;

/** The client is closed: by `close()` (code 1000), or because it was told not to come back. */
export class ClientClosed extends RtcBrokerError {
  override readonly name: string = "ClientClosed";

  constructor(code: number = NORMAL_CLOSURE, reason = "closed by the application") {
    super(code, reason, code === NORMAL_CLOSURE ? `${code} ${reason} (do not retry)` : undefined);
  }

  override get retry(): Retry {
    return this.code === NORMAL_CLOSURE ? "do not retry" : super.retry;
  }
}

/** There was no connection, and none came in time. */
export class NotConnected extends RtcBrokerError {
  override readonly name: string = "NotConnected";

  /** @param seconds how long was waited */
  constructor(
    readonly what: string,
    readonly seconds: number = 0,
    why = `not connected${seconds ? ` within ${seconds} s` : ""}`,
  ) {
    super(Code.LINK_LOST, why, `${what}: ${why}`);
  }
}

/** Connected, but the answer or the room did not come in time. */
export class RequestTimeout extends RtcBrokerError {
  override readonly name: string = "RequestTimeout";

  /** @param seconds how long was waited */
  constructor(
    readonly what: string,
    readonly seconds: number,
    why = `not done within ${seconds} s`,
  ) {
    super(Code.TIMEOUT, why, `${what}: ${why}`);
  }
}

/** The server refused these topics; `code` is that of the first. */
export class SubscriptionRefused extends RtcBrokerError {
  override readonly name: string = "SubscriptionRefused";
  /** Code of each refused topic. */
  readonly topics: ReadonlyMap<string, number>;

  constructor(topics: ReadonlyMap<string, number>) {
    const refused = [...topics];
    const list = refused.map(([topic, code]) => `${JSON.stringify(topic)}: ${describe(code)}`).join(", ");
    super(refused[0]?.[1] ?? Code.NOT_ALLOWED, list, `subscription refused: ${list}`);
    this.topics = new Map(refused);
  }
}

/** The server refused one packet or request; the connection lives on. Reported to `client.on("error", ...)`. */
export class RequestRefused extends RtcBrokerError {
  override readonly name: string = "RequestRefused";

  /** @param topic what it was about, or empty */
  constructor(
    code: number,
    reason: string,
    readonly topic: string = "",
  ) {
    const about = topic ? `topic ${JSON.stringify(topic)}: ` : "";
    super(code, reason, about + describe(code, reason));
  }
}

/** A topic outside the grammar. */
export class TopicError extends RtcBrokerError {
  override readonly name: string = "TopicError";

  constructor(
    readonly topic: string,
    readonly why: string,
  ) {
    super(Code.BAD_TOPIC, why, `topic ${JSON.stringify(topic.slice(0, 80))}: ${why}`);
  }
}

/** A packet over the limit; both in bytes. */
export class MessageTooLarge extends RtcBrokerError {
  override readonly name: string = "MessageTooLarge";

  constructor(
    readonly size: number,
    readonly limit: number,
    what = "message",
  ) {
    super(Code.MESSAGE_TOO_LARGE, `${what} of ${size} bytes, at most ${limit} are allowed`);
  }
}
