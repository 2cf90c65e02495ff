// Puts a scene onto the call page.
import { type Card, type Choice, LABELS, type Scene } from "../core/scene.ts";
import { byId, make, show, write } from "./dom.ts";

export class SceneView {
  readonly #stage = byId("stage", HTMLElement);
  readonly #card = byId("card", HTMLElement);
  readonly #title = byId("card-title", HTMLElement);
  readonly #text = byId("card-text", HTMLElement);
  readonly #choices = byId("choices", HTMLElement);
  readonly #status = byId("status", HTMLElement);
  readonly #word = byId("status-word", HTMLElement);
  readonly #choose: (choice: Choice) => void;
  #shown = "";

  constructor(choose: (choice: Choice) => void) {
    this.#choose = choose;
  }

  show({ status, tone, card, isInside }: Scene): void {
    write(this.#word, status);
    this.#status.dataset.tone = tone;
    this.#stage.toggleAttribute("data-inside", isInside);
    if (card) this.#showCard(card);
    show(this.#card, card !== undefined);
  }

  /** Whoever uses the keyboard stays where something goes on; `focused` had the focus before all was shown. */
  keepFocus(focused: Element | null): void {
    const isLost = focused !== null && (!focused.isConnected || focused.closest("[hidden]") !== null);
    if (isLost) (this.#card.hidden ? this.#stage : this.#title).focus();
  }

  #showCard({ title, text, choices }: Card): void {
    write(this.#title, title);
    write(this.#text, text);
    show(this.#text, text !== "");
    const shown = choices.join();
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#choices.replaceChildren(...choices.map((choice, index) => this.#button(choice, index === 0)));
    show(this.#choices, choices.length > 0);
  }

  #button(choice: Choice, isFirst: boolean): HTMLButtonElement {
    const button = make("button", LABELS[choice], isFirst ? "primary" : "plain");
    button.type = "button";
    button.dataset.choice = choice;
    button.addEventListener("click", () => this.#choose(choice));
    return button;
  }
}
