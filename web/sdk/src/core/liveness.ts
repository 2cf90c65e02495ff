// Whether the server at the other end of the link is alive: PING where nothing was heard, and what comes of it.
//
// PING is echoed byte for byte, to us and by us, so an echo must be told from the other side's own PING, or the two would send it to and
// fro for ever. Our pings carry in `time`, which is the sender's to fill, the negative of a random origin plus a count: what comes back
// with such a number is ours, however late.
import type { Random } from "./backoff.ts";
import { ping } from "./packets.ts";

// Origin and count stay exact in a double.
const ORIGIN_MIN = 2 ** 20;
const ORIGIN_MAX = 2 ** 40;
// Pings of which the time of sending is kept; an application that sends more without an answer has lost the link anyway.
const REMEMBERED = 64;
// PINGs of the other side that are remembered.
const ECHOED = 8;
// Share of a probe's time in which only its answer counts: the last words of a server that has died may still be on their way.
const LAST_WORDS = 0.3;

/** What is to be made of the silence; at `quiet` it is time to PING. */
export type Sign = "alive" | "quiet" | "lost";

/** Deadlines of one link, in seconds. */
export class Liveness {
  readonly #origin: number;
  #count = 0;
  readonly #sent = new Map<number, number>();
  readonly #echoed: number[] = [];
  #probeEnds = Number.POSITIVE_INFINITY;
  #lastWordsEnd = 0;
  // The number of the first PING that was sent in the present probe.
  #firstAnswer = 0;
  #heard = 0;
  #pinged = 0;
  #looked = 0;

  /** @param interval quiet seconds before a PING; @param timeout before the link is lost; @param probeTimeout the same once probed */
  constructor(
    readonly interval: number,
    readonly timeout: number,
    readonly probeTimeout: number,
    random: Random,
  ) {
    this.#origin = ORIGIN_MIN + Math.floor(random() * (ORIGIN_MAX - ORIGIN_MIN));
  }

  /** The link has opened. */
  begin(now: number): void {
    this.#heard = this.#pinged = this.#looked = now;
  }

  /** Something, whatever it is, came from the server. */
  heard(now: number): void {
    this.#heard = now;
  }

  /** A PING to send: its number, and the message. */
  ping(now: number): [number, Uint8Array] {
    this.#count += 1;
    this.#pinged = now;
    const [oldest] = this.#sent.keys();
    if (this.#sent.size >= REMEMBERED && oldest !== undefined) this.#sent.delete(oldest);
    this.#sent.set(this.#count, now);
    return [this.#count, ping(-(this.#origin + this.#count))];
  }

  /**
   * There is reason to doubt: without a sign of life the link is lost after the probe time-out. The caller pings.
   *
   * The echo of that PING ends it at once. Much may be on its way before the echo, so whatever else comes will do when time is up.
   */
  probe(now: number): void {
    if (this.#isProbed) return;
    this.#probeEnds = now + this.probeTimeout;
    this.#lastWordsEnd = now + LAST_WORDS * this.probeTimeout;
    this.#firstAnswer = this.#count + 1;
  }

  get #isProbed(): boolean {
    return this.#probeEnds !== Number.POSITIVE_INFINITY;
  }

  #endProbe(): void {
    this.#probeEnds = Number.POSITIVE_INFINITY;
  }

  /** Whether a PING that came is the other side's own, and has not been echoed yet: it may have forgotten that one was its own. */
  isToBeEchoed(time: number): boolean {
    if (this.#isOurs(time) || this.#echoed.includes(time)) return false;
    this.#echoed.push(time);
    if (this.#echoed.length > ECHOED) this.#echoed.shift();
    return true;
  }

  /** The number of the PING that came back, and the seconds it took; undefined where it came before, or took too long to be remembered. */
  echoed(time: number, now: number): [number, number] | undefined {
    const number = -time - this.#origin;
    const sent = this.#sent.get(number);
    this.#sent.delete(number);
    if (sent === undefined) return undefined;
    if (number >= this.#firstAnswer) this.#endProbe();
    return [number, now - sent];
  }

  /** What the clock says; to be called by `nextDeadline()` at the latest. */
  look(now: number): Sign {
    const stalled = now - this.#looked > this.interval + this.probeTimeout;
    this.#looked = now;
    if (stalled) {
      // It was the page that slept (a laptop closed, a tab frozen): the answers may wait to be read. Ask once more before judging.
      this.#heard = now;
      if (this.#isProbed) {
        this.#endProbe();
        this.probe(now);
      }
      return "quiet";
    }
    if (now >= this.#heard + this.timeout) return "lost";
    if (now >= this.#probeEnds) {
      if (this.#heard <= this.#lastWordsEnd) return "lost";
      this.#endProbe();
    }
    return now >= Math.max(this.#heard, this.#pinged) + this.interval ? "quiet" : "alive";
  }

  /** When to look again. */
  nextDeadline(): number {
    return Math.min(Math.max(this.#heard, this.#pinged) + this.interval, this.#heard + this.timeout, this.#probeEnds);
  }

  #isOurs(time: number): boolean {
    const number = -time - this.#origin;
    return number > 0 && number <= this.#count && Number.isInteger(number);
  }
}
