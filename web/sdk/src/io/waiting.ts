// Promises that wait for something with a deadline, and all end when the client does.
import type { Platform, Timer } from "./platform.ts";

/** A wait was in vain. */
export class TimedOut extends Error {}

interface Entry<K, V> {
  what: K;
  timer: Timer;
  resolve(value: V): void;
  reject(error: Error): void;
}

/** Who waits for what (`K`), and what they get (`V`). */
export class Waiters<K, V> {
  #waiting = new Set<Entry<K, V>>();

  constructor(readonly platform: Platform) {}

  /** Wait to be served. Rejects with TimedOut after so many seconds, and with what `fail` was given. */
  wait(what: K, seconds: number): Promise<V> {
    return new Promise((resolve, reject) => {
      const timer = this.platform.setTimer(() => {
        this.#waiting.delete(entry);
        reject(new TimedOut());
      }, seconds);
      const entry: Entry<K, V> = { what, timer, resolve, reject };
      this.#waiting.add(entry);
    });
  }

  /** Give `value` to everyone whose `what` is ready. */
  serve(isReady: (what: K) => boolean, value: V): void {
    for (const entry of this.#waiting) {
      if (!isReady(entry.what)) continue;
      this.#forget(entry);
      entry.resolve(value);
    }
  }

  /** End everyone's wait, each with an error of its own. */
  fail(error: () => Error): void {
    for (const entry of this.#waiting) {
      this.#forget(entry);
      entry.reject(error());
    }
  }

  #forget(entry: Entry<K, V>): void {
    this.#waiting.delete(entry);
    this.platform.clearTimer(entry.timer);
  }
}
