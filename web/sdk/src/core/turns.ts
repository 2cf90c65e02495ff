// Several URLs of the same thing, tried one after the other.
import type { Random } from "./backoff.ts";

/** One of several, another one each time; the first is random, so that not everyone begins with the same. */
export class Turns<T> {
  #next: number;

  /** @param choices at least one */
  constructor(
    readonly choices: readonly T[],
    random: Random,
  ) {
    this.#next = Math.floor(random() * choices.length);
  }

  /** How many there are. */
  get count(): number {
    return this.choices.length;
  }

  /** The one whose turn it is. */
  next(): T {
    const choice = this.choices[this.#next] as T;
    this.#next = (this.#next + 1) % this.choices.length;
    return choice;
  }
}
