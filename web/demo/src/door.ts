// The way in: your name and, where the link brought none, a token.
import { byId } from "./dom.ts";
import { MAX_NAME, tidy } from "./talk.ts";

export interface Visitor {
  readonly name: string;
  /** Empty: none, for a cluster without authentication. */
  readonly token: string;
}

export class Door {
  private readonly dialog = byId("door", HTMLDialogElement);
  private readonly name = byId("name", HTMLInputElement);
  private readonly token = byId("token", HTMLInputElement);
  private readonly message = byId("door-message", HTMLElement);
  private answer: ((visitor: Visitor | undefined) => void) | undefined;

  constructor() {
    this.name.maxLength = MAX_NAME;
    byId("door-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.dialog.close();
      this.reply({ name: tidy(this.name.value, MAX_NAME), token: this.token.value.trim() });
    });
    this.dialog.addEventListener("cancel", (event) => {
      // Without a token there is nowhere else to go.
      if (!this.tokenRow.hidden) event.preventDefault();
    });
    this.dialog.addEventListener("close", () => this.reply(undefined));
  }

  /** Ask for both; `message` says why, if something went wrong. */
  async enter(visitor: Visitor, message: string): Promise<Visitor> {
    for (;;) {
      const given = await this.ask(visitor, message, true);
      if (given) return given;
    }
  }

  /** Ask for the name only; undefined: as it was. */
  async rename(name: string): Promise<string | undefined> {
    return (await this.ask({ name, token: "" }, "", false))?.name || undefined;
  }

  private get tokenRow(): HTMLElement {
    return byId("token-row", HTMLElement);
  }

  private ask(visitor: Visitor, message: string, withToken: boolean): Promise<Visitor | undefined> {
    this.name.value = visitor.name;
    this.token.value = visitor.token;
    this.tokenRow.hidden = !withToken;
    this.message.textContent = message;
    this.message.hidden = !message;
    byId("door-button", HTMLButtonElement).textContent = withToken ? "Walk in" : "Keep";
    if (!this.dialog.open) this.dialog.showModal();
    return new Promise((resolve) => {
      this.answer = resolve;
    });
  }

  private reply(visitor: Visitor | undefined): void {
    const { answer } = this;
    this.answer = undefined;
    answer?.(visitor);
  }
}
