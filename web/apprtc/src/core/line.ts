// The line to the message server: a WebSocket that is wanted for as long as there is a place in the room, and opened anew when it is lost.
// The server keeps a place for ten seconds without one.
import { pause } from "./backoff.ts";
import type { Emit } from "./events.ts";
import { registerFrame, sendFrame } from "./messages.ts";

const OPENING_S = 10;
/** A socket that lived so long was a good one. */
const STABLE_S = 10;

export class Line {
  readonly #emit: Emit;
  readonly #random: () => number;
  #state: "none" | "opening" | "open" | "lost" = "none";
  #url = "";
  #register = "";
  #tries = 0;
  #openedAt = 0;
  #isLost = false;
  #deadline: number | undefined;

  constructor(emit: Emit, random: () => number) {
    this.#emit = emit;
    this.#random = random;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** It was there, or should have been, and is not. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** When to call `tick`. */
  get deadline(): number | undefined {
    return this.#deadline;
  }

  /** Open it, for a client in a room. */
  start(url: string, room: string, client: string, now: number): void {
    this.#url = url;
    this.#register = registerFrame(room, client);
    this.#tries = 0;
    this.#isLost = false;
    this.#open(now);
  }

  opened(now: number): void {
    if (this.#state !== "opening") return;
    this.#isLost = false;
    this.#state = "open";
    this.#openedAt = now;
    this.#deadline = undefined;
    this.#emit({ kind: "sendFrame", frame: this.#register });
  }

  lost(now: number): void {
    if (this.#state !== "opening" && this.#state !== "open") return;
    if (this.#state === "open" && now - this.#openedAt >= STABLE_S) this.#tries = 0;
    this.#state = "lost";
    this.#deadline = now + pause(this.#tries, this.#random);
    this.#tries += 1;
    this.#isLost = true;
  }

  tick(now: number): void {
    if (this.#deadline === undefined || now < this.#deadline) return;
    if (this.#state === "opening") {
      this.#emit({ kind: "closeSocket" });
      this.lost(now);
    } else {
      this.#open(now);
    }
  }

  send(message: string): void {
    this.#emit({ kind: "sendFrame", frame: sendFrame(message) });
  }

  stop(): void {
    if (this.#state === "opening" || this.#state === "open") this.#emit({ kind: "closeSocket" });
    this.#state = "none";
    this.#isLost = false;
    this.#deadline = undefined;
  }

  #open(now: number): void {
    this.#state = "opening";
    this.#deadline = now + OPENING_S;
    this.#emit({ kind: "openSocket", url: this.#url });
  }
}
