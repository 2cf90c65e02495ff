// What is to be said to the other, in order. One message is on its way at a time, and is sent again until it got through: an offer that
// comes after its candidates, or never, is worth nothing.
import { pause } from "./backoff.ts";
import type { Answer, Requests } from "./requests.ts";

/** More than a connection ever has to say; the message server queues as many. */
export const MAX_WAITING = 1024;

/** What became of a message: it is through, the server does not know us, it will never take it, or it may the next time. */
export type Fate = "through" | "unknown" | "refused" | "again";

/** How the head of the queue is sent now. */
export type Way =
  /** At once, without an answer. */
  | { readonly kind: "socket"; readonly send: (message: string) => void }
  | { readonly kind: "post"; readonly url: string; readonly judge: (answer: Answer) => Fate };

export interface OutboxUser {
  way(): Way;
  /** A message will never get through, and the queue was cleared. */
  silenced(fate: "unknown" | "refused", answer: Answer, now: number): void;
}

export class Outbox {
  readonly #requests: Requests;
  readonly #random: () => number;
  readonly #user: OutboxUser;
  #waiting: string[] = [];
  /** Changes when the queue is cleared: an answer to what was sent before says nothing. */
  #turn = 0;
  #isOnItsWay = false;
  #tries = 0;
  #againAt: number | undefined;

  constructor(requests: Requests, random: () => number, user: OutboxUser) {
    this.#requests = requests;
    this.#random = random;
    this.#user = user;
  }

  /** When to call `pump`. */
  get deadline(): number | undefined {
    return this.#againAt;
  }

  /** Whether the last try did not get through. */
  get isStuck(): boolean {
    return this.#tries > 0;
  }

  add(message: string): void {
    // Whatever comes after so many can no longer matter to the connection.
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push(message);
  }

  clear(): void {
    this.#waiting = [];
    this.#turn += 1;
    this.#isOnItsWay = false;
    this.#tries = 0;
    this.#againAt = undefined;
  }

  /** Send what can be sent now. */
  pump(now: number): void {
    for (let message = this.#waiting[0]; message !== undefined; message = this.#waiting[0]) {
      if (this.#isOnItsWay) return;
      const way = this.#user.way();
      if (way.kind === "socket") {
        this.#shift();
        way.send(message);
        continue;
      }
      if (this.#againAt !== undefined && now < this.#againAt) return;
      this.#againAt = undefined;
      this.#isOnItsWay = true;
      const turn = this.#turn;
      this.#requests.ask("POST", way.url, message, (answer, then) => {
        if (turn === this.#turn) this.#answered(way.judge(answer), answer, then);
      });
    }
  }

  #answered(fate: Fate, answer: Answer, now: number): void {
    this.#isOnItsWay = false;
    if (fate === "through") {
      this.#shift();
    } else if (fate === "again") {
      this.#againAt = now + pause(this.#tries, this.#random);
      this.#tries += 1;
    } else {
      this.clear();
      this.#user.silenced(fate, answer, now);
    }
  }

  #shift(): void {
    this.#waiting.shift();
    this.#tries = 0;
    this.#againAt = undefined;
  }
}
