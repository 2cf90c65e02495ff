// HTTP requests on their way, each with what its answer is for.
import type { Emit } from "./events.ts";

export interface Answer {
  /** 0: there was none. */
  readonly status: number;
  readonly body: string;
}

export type Handler = (answer: Answer, now: number) => void;

/** A request may take so long. */
const PATIENCE_S = 15;

export class Requests {
  readonly #emit: Emit;
  readonly #waiting = new Map<number, Handler>();
  #last = 0;

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  /** Ask; the handler is called once. */
  ask(method: "POST" | "DELETE", url: string, body: string, handler: Handler, seconds = PATIENCE_S): void {
    this.#last += 1;
    this.#waiting.set(this.#last, handler);
    this.#emit({ kind: "request", number: this.#last, method, url, body, seconds, urgent: false });
  }

  /** Ask, whatever the answer. */
  tell(method: "POST" | "DELETE", url: string, body = ""): void {
    this.#emit({ kind: "request", number: 0, method, url, body, seconds: PATIENCE_S, urgent: true });
  }

  answered(number: number, answer: Answer, now: number): void {
    const handler = this.#waiting.get(number);
    this.#waiting.delete(number);
    handler?.(answer, now);
  }
}
