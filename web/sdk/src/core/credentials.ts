// The client's token: when a fresh one is due, and what to do when it was refused.
import { Code } from "../gen/constants.ts";
import { decodeText } from "./text.ts";

/** Refusals that another token may turn. */
export const AUTH_CODES: ReadonlySet<number> = new Set([
  Code.AUTH_FAILED,
  Code.TOKEN_EXPIRED,
  Code.TOKEN_NOT_YET_VALID,
  Code.WRONG_ROLE,
]);

// Share of a token's life after which a fresh one is asked for: the rest is for tries that fail.
const RENEW_AT = 0.8;
// Seconds between two tries to renew, where the token lives long enough for that.
const RETRY = 5;
const MIN_RETRY = 0.5;

/** One client's token, and whether another can be had (`renewable`: the application gave a function). */
export class Credentials {
  token: string;
  /** A token was asked for and has not come yet. */
  asked = false;
  #renewAt: number | undefined;
  #expiresAt: number | undefined;
  #stale: boolean;
  #secondChance = true;

  constructor(
    token: string | undefined,
    readonly renewable: boolean,
  ) {
    this.token = token ?? "";
    this.#stale = renewable;
  }

  /** Whether a fresh token is wanted before the present one is shown to anyone. */
  isDue(now: number): boolean {
    return this.renewable && (this.#stale || (this.#renewAt !== undefined && this.#renewAt <= now));
  }

  /** When to ask for the next token while a connection lives; undefined for never, or while one is being asked for. */
  get renewAt(): number | undefined {
    return this.asked || !this.renewable ? undefined : this.#renewAt;
  }

  /** The application gave a token. */
  received(token: string, now: number): void {
    this.token = token;
    this.asked = this.#stale = false;
    // With --auth none and for tokens that are no JWT there is nothing to renew.
    this.#expiresAt = peekExpiry(token);
    this.#renewAt = this.#expiresAt === undefined ? undefined : now + Math.max(MIN_RETRY, RENEW_AT * (this.#expiresAt - now));
  }

  /** The application could not give one; asked again while there still is time, more often as time runs out. */
  failed(now: number): void {
    this.asked = false;
    const left = (this.#expiresAt ?? now) - now;
    this.#renewAt = now + Math.max(MIN_RETRY, Math.min(RETRY, left / 3));
  }

  /** The token was refused. Whether there is a second chance with a fresh one: once between two successes. */
  refused(): boolean {
    if (!this.renewable || !this.#secondChance) return false;
    this.#secondChance = false;
    this.#stale = true;
    return true;
  }

  /** The token was refused where that decides nothing: show a fresh one next time. */
  void(): void {
    this.#stale = this.renewable;
  }

  /** The server took the token. */
  accepted(): void {
    this.#secondChance = true;
  }
}

/** When `token` says it expires (seconds since the epoch), without verifying anything; undefined for what is no JWT. */
export function peekExpiry(token: string): number | undefined {
  const payload = token.split(".")[1];
  if (payload === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(decodeText(fromBase64Url(payload)));
    const expiry = (claims as { exp?: unknown } | null)?.exp;
    return typeof expiry === "number" && Number.isFinite(expiry) ? expiry : undefined;
  } catch {
    return undefined;
  }
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

function fromBase64Url(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let count = 0;
  let length = 0;
  for (const character of text) {
    bits = ((bits << 6) | ALPHABET.indexOf(character)) & 0xffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes[length++] = bits >> count;
    }
  }
  return bytes;
}
