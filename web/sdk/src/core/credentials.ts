// The client's token: when a fresh one is due, and what to do when it was refused.
import { Code } from "../gen/constants.ts";
import { decodeText } from "./text.ts";

/** Refusals that another token may turn. */
export const AUTH_CODES: ReadonlySet<number> = new Set([
  Code.AUTH_FAILED,
  Code.TOKEN_EXPIRED,
  Code.TOKEN_NOT_YET_VALID,
  Code.WRONG_ROLE,
  Code.TOKEN_REVOKED,
]);

// Share of a token's life after which a fresh one is asked for: the rest is for tries that fail.
const RENEW_AT = 0.8;
// Seconds between two asks, whatever a token says; less, as a share of its life, where it lives for less than a minute.
const PAUSE = 5;
const MIN_PAUSE = 0.5;
const PAUSE_SHARE = 0.1;
// Seconds that a token is taken to be good for where it does not say how long it lives and seems to be over already.
const UNKNOWN_LIFE = 60;

/** One client's token, and whether another can be had (`renewable`: the application gave a function). */
export class Credentials {
  token: string;
  /** A token was asked for and has not come yet. */
  asked = false;
  #renewAt: number | undefined;
  #pause = PAUSE;
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
    this.#renewAt = undefined;
    const times = peekTimes(token);
    if (times === undefined) return; // with --auth none and for tokens that are no JWT there is nothing to renew
    const left = goodFor(times, now);
    this.#pause = Math.max(MIN_PAUSE, Math.min(PAUSE, PAUSE_SHARE * (times.lifetime ?? left)));
    this.#renewAt = now + Math.max(this.#pause, RENEW_AT * left);
  }

  /** The application could not give one: asked again after a pause. */
  failed(now: number): void {
    this.asked = false;
    this.#renewAt = now + this.#pause;
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

/** When a token expires (seconds since the epoch), and how many seconds there were between that and its making, where it says so. */
export interface TokenTimes {
  expiresAt: number;
  lifetime: number | undefined;
}

// A page's clock may be hours off, and a token's life is the issuer's to tell. Our clock can only say that a part of it is over, if that
// makes sense.
function goodFor({ expiresAt, lifetime }: TokenTimes, now: number): number {
  const left = expiresAt - now;
  return left > 0 ? Math.min(left, lifetime ?? left) : (lifetime ?? UNKNOWN_LIFE);
}

/** What `token` says of its times, without verifying anything; undefined for what is no JWT. */
export function peekTimes(token: string): TokenTimes | undefined {
  const payload = token.split(".")[1];
  if (payload === undefined) return undefined;
  try {
    const claims = JSON.parse(decodeText(fromBase64Url(payload))) as Record<string, unknown> | null;
    const [expiresAt, madeAt, validFrom] = ["exp", "iat", "nbf"].map((name) => asNumber(claims?.[name]));
    if (expiresAt === undefined) return undefined;
    const lifetime = expiresAt - (madeAt ?? validFrom ?? expiresAt);
    return { expiresAt, lifetime: lifetime > 0 ? lifetime : undefined };
  } catch {
    return undefined;
  }
}

function asNumber(claim: unknown): number | undefined {
  return typeof claim === "number" && Number.isFinite(claim) ? claim : undefined;
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
