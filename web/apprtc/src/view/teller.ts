// Says something for a moment, to be read and to be heard.
import { byId, write } from "./dom.ts";

const TOLD_MS = 6_000;

export class Teller {
  readonly #told = byId("told", HTMLElement);
  #timer = 0;

  tell(words: string): void {
    window.clearTimeout(this.#timer);
    write(this.#told, words);
    this.#timer = window.setTimeout(() => write(this.#told, ""), TOLD_MS);
  }
}
