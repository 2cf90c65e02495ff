// A bounded receive queue: a reader that is too slow loses the oldest packets, and learns how many.
import type { Packet } from "./packet.ts";
import type { ClientStats } from "./stats.ts";

/** Packets that arrived and were not read yet. The oldest gives way: what a reader that has fallen behind needs is the present. */
export class Inbox {
  /** Packets this queue dropped. */
  dropped = 0;
  // A ring, because `shift` of a long array moves all the others.
  readonly #ring: (Packet | undefined)[];
  #first = 0;
  #count = 0;

  /** Throws RangeError for a `size` below 1. */
  constructor(
    readonly size: number,
    readonly stats: ClientStats,
    readonly wake: () => void,
  ) {
    if (!(Number.isInteger(size) && size >= 1)) throw new RangeError(`a queue holds at least one packet, not ${size}`);
    this.#ring = [];
  }

  get length(): number {
    return this.#count;
  }

  /** Add a packet, in the place of the oldest where there is no room. */
  put(packet: Packet): void {
    this.#ring[(this.#first + this.#count) % this.size] = packet;
    if (this.#count === this.size) {
      this.#first = (this.#first + 1) % this.size;
      this.dropped += 1;
      this.stats.dropped.queue += 1;
      return;
    }
    this.#count += 1;
    if (this.#count === 1) this.wake();
  }

  /** Take the oldest packet out; undefined when there is none. */
  get(): Packet | undefined {
    if (this.#count === 0) return undefined;
    const packet = this.#ring[this.#first];
    this.#ring[this.#first] = undefined;
    this.#first = (this.#first + 1) % this.size;
    this.#count -= 1;
    return packet;
  }
}
