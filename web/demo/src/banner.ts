// One line across the plaza when something happens to the connection.
import { byId } from "./dom.ts";

// Ten words, for somebody who looks elsewhere first.
const SHOWN_MS = 7000;

export class Banner {
  private readonly line = byId("banner", HTMLElement);
  private timer = 0;

  /** Until something else is told. */
  show(text: string): void {
    window.clearTimeout(this.timer);
    this.line.textContent = text;
    this.line.classList.add("shown");
  }

  /** For a moment. */
  flash(text: string): void {
    this.show(text);
    this.timer = window.setTimeout(() => this.hide(), SHOWN_MS);
  }

  hide(): void {
    window.clearTimeout(this.timer);
    this.line.classList.remove("shown");
  }
}
