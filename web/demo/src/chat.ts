// What was said, in lines, and where you say something.
import { byId } from "./dom.ts";
import { type Line, MAX_TEXT } from "./talk.ts";
import { hueOf } from "./view/theme.ts";

const MAX_LINES = 60;

export class Chat {
  private readonly lines = byId("lines", HTMLOListElement);
  private readonly input = byId("say", HTMLInputElement);

  /** @param onSay what you want to say; called with what is not blank */
  constructor(
    onSay: (text: string) => void,
    private readonly leave: () => void,
  ) {
    this.input.maxLength = MAX_TEXT;
    byId("chat-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.input.value.trim();
      this.input.value = "";
      if (text) onSay(text);
      this.leave(); // whoever talks wants to walk on
    });
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.leave();
    });
  }

  focus(): void {
    this.input.focus();
  }

  add(sender: number, line: Line, isYou: boolean): void {
    const who = document.createElement("b");
    who.className = "who";
    who.textContent = line.name;
    who.style.setProperty("--hue", String(hueOf(sender)));
    const item = document.createElement("li");
    if (isYou) item.className = "you";
    item.append(who, " ", line.text);
    this.append(item);
  }

  /** Something that nobody said. */
  note(text: string): void {
    const item = document.createElement("li");
    item.className = "note";
    item.textContent = text;
    this.append(item);
  }

  private append(item: HTMLLIElement): void {
    const { lines } = this;
    // Who reads further up is left there.
    const isAtEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 24;
    lines.append(item);
    while (lines.childElementCount > MAX_LINES) lines.firstElementChild?.remove();
    if (isAtEnd) lines.scrollTop = lines.scrollHeight;
  }
}
