/**
 * The dashboard's socket: opened, greeted with the token, opened again when it ends.
 *
 * It tells two things: frames, and the phase it is in. What the phases look like is the views' business; when to try again is decided
 * in verdict.ts; clock, chance, timers and the socket itself are passed in.
 */

import { type Frame, parseFrame } from "./frames.ts";
import { retryDelay, type TokenTrouble, verdictOf } from "./verdict.ts";

export type Phase =
  | { kind: "connecting" }
  | { kind: "live" }
  | { kind: "lost"; why: string; retryAt: number }
  | { kind: "full"; retryAt: number }
  | { kind: "token"; trouble: TokenTrouble };

/** The part of a WebSocket that is used. */
export interface Socket {
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(text: string): void;
  close(): void;
}

export interface Surroundings {
  open(): Socket;
  /** Milliseconds. */
  now(): number;
  random(): number;
  /** Calls once, after so many milliseconds; the result takes it back. */
  after(milliseconds: number, call: () => void): () => void;
}

export interface Listener {
  frame(frame: Frame): void;
  phase(phase: Phase): void;
}

/** No frame for so many intervals, and never less than {@link MIN_SILENCE_MS}: the link is dead, whatever TCP believes. */
const SILENT_INTERVALS = 6;
const MIN_SILENCE_MS = 6_000;
/** For a socket to open and say hello. */
const HELLO_MS = 10_000;

export class Feed {
  phase: Phase = { kind: "connecting" };
  #socket: Socket | null = null;
  #token = "";
  #attempt = 0;
  #silence = HELLO_MS;
  #cancelTimer: () => void = () => {};
  #cancelWatch: () => void = () => {};

  constructor(
    private readonly around: Surroundings,
    private readonly listener: Listener,
  ) {}

  /** Connect with this token ("" for none), now; whatever was before is over. */
  start(token: string): void {
    this.#token = token;
    this.#attempt = 0;
    this.#connect();
  }

  /** Try now instead of when the wait is over. */
  retry(): void {
    if (this.phase.kind === "lost" || this.phase.kind === "full") {
      this.#connect();
    }
  }

  #connect(): void {
    this.#drop();
    this.#enter({ kind: "connecting" });
    const socket = this.around.open();
    this.#socket = socket;
    this.#silence = HELLO_MS;
    this.#watch();
    socket.onopen = () => socket.send(JSON.stringify(this.#token === "" ? {} : { token: this.#token }));
    socket.onmessage = (event) => this.#heard(event.data);
    socket.onclose = (event) => this.#closed(event.code, event.reason);
  }

  #heard(data: unknown): void {
    this.#watch();
    const frame = parseFrame(data);
    if (frame === null) {
      return;
    }
    if (frame.type === "hello") {
      this.#attempt = 0;
      this.#silence = Math.max(MIN_SILENCE_MS, SILENT_INTERVALS * frame.interval_s * 1000);
      this.#watch();
    }
    this.listener.frame(frame);
    if (frame.type === "state" && this.phase.kind !== "live") {
      this.#enter({ kind: "live" });
    }
  }

  #closed(code: number, reason: string): void {
    this.#drop();
    const verdict = verdictOf(code, reason, this.#token !== "");
    if (verdict.kind === "token") {
      this.#token = "";
      this.#enter(verdict);
      return;
    }
    const delay = 1000 * retryDelay(verdict, this.#attempt, this.around.random());
    this.#attempt += 1;
    this.#cancelTimer = this.around.after(delay, () => this.#connect());
    this.#enter({ ...verdict, retryAt: this.around.now() + delay });
  }

  #watch(): void {
    this.#cancelWatch();
    this.#cancelWatch = this.around.after(this.#silence, () => this.#closed(1006, ""));
  }

  /** The old socket may still speak: nobody listens any more. */
  #drop(): void {
    this.#cancelTimer();
    this.#cancelWatch();
    const socket = this.#socket;
    this.#socket = null;
    if (socket !== null) {
      socket.onopen = null;
      socket.onmessage = null;
      socket.onclose = null;
      socket.close();
    }
  }

  #enter(phase: Phase): void {
    this.phase = phase;
    this.listener.phase(phase);
  }
}
