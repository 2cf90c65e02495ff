/** The form that asks for a token. */

import { byId, setText, show } from "../dom.ts";
import { tokenProblem, tokenTrouble } from "../status.ts";
import type { TokenTrouble } from "../verdict.ts";

export class Gate {
  readonly #section = byId("gate");
  readonly #form = byId("gate-form") as HTMLFormElement;
  readonly #input = byId("token") as HTMLInputElement;
  readonly #error = byId("gate-error");

  constructor(offer: (token: string) => void) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const token = this.#input.value.trim();
      const problem = tokenProblem(token);
      this.#complain(problem);
      if (problem === "") {
        this.#input.value = "";
        offer(token);
      }
    });
  }

  open(trouble: TokenTrouble): void {
    show(this.#section, true);
    this.#complain(tokenTrouble(trouble));
    this.#input.focus();
  }

  close(): void {
    show(this.#section, false);
  }

  #complain(problem: string): void {
    setText(this.#error, problem);
    this.#input.setAttribute("aria-invalid", String(problem !== ""));
  }
}
