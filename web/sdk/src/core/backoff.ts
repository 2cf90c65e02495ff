// How long to wait before trying again.

/** A random number, 0 <= x < 1. */
export type Random = () => number;

/**
 * Pauses in a row: 0 to `base` seconds, then 0 to twice that, and so on up to 0 to `cap`. Full jitter, because clients that lost the same
 * server at the same moment must not come back at the same moment.
 */
export class Backoff {
  #failures = 0;

  constructor(
    readonly base: number,
    readonly cap: number,
    readonly random: Random,
  ) {}

  /** The pause after one more failure, in seconds. */
  next(): number {
    const most = Math.min(this.cap, this.base * 2 ** Math.min(this.#failures, 32));
    this.#failures += 1;
    return this.random() * most;
  }

  /** Something worked: the next pause is a first one again. */
  reset(): void {
    this.#failures = 0;
  }
}
