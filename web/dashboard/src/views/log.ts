/** What happened, newest first. Lines are made once; filtering is the style sheet's, by classes on the list. */

import { h, setText, show } from "../dom.ts";
import * as format from "../format.ts";
import type { LogEntry, LogKind } from "../frames.ts";
import { GROUP_NAMES, type Group, groupOf, shownLines, tally } from "../logFilter.ts";
import type { ClusterState } from "../state.ts";

const WORDS: Record<LogKind, string> = {
  joined: "joined",
  left: "left",
  refused: "refused",
  "server-joined": "server up",
  "server-left": "server gone",
  "link-up": "link up",
  "link-down": "link down",
  state: "state",
  operator: "operator",
  "lost-events": "not told",
};

export class Log {
  #drawn: readonly LogEntry[] = [];
  readonly #chosen = new Set<Group>();
  readonly #buttons = new Map<Group, { button: HTMLButtonElement; count: HTMLElement }>();
  readonly #all = h("button", { type: "button", class: "chip", "aria-pressed": "true" }, "All");

  constructor(
    private readonly list: HTMLElement,
    filters: HTMLElement,
    private readonly none: HTMLElement,
  ) {
    this.#all.addEventListener("click", () => this.#choose(null));
    filters.replaceChildren(h("legend", { class: "unseen" }, "Kinds to show"), this.#all);
    for (const name of GROUP_NAMES) {
      const count = h("span", { class: "chip-count" });
      const button = h("button", { type: "button", class: "chip", "aria-pressed": "false" }, `${name} `, count);
      button.addEventListener("click", () => this.#choose(name));
      this.#buttons.set(name, { button, count });
      filters.append(button);
    }
  }

  update(state: ClusterState): void {
    if (state.log === this.#drawn) {
      return;
    }
    this.#follow(state.log);
    this.#drawn = state.log;
    const counts = tally(state.log);
    for (const [name, { count }] of this.#buttons) {
      setText(count, String(counts.get(name) ?? 0));
    }
    this.#sayNone();
  }

  /** New lines go on top and old ones fall off the end; a log that shares nothing with what is drawn is drawn anew. */
  #follow(log: readonly LogEntry[]): void {
    const known = this.#drawn[0];
    const fresh = known === undefined ? -1 : log.indexOf(known);
    if (fresh < 0) {
      this.list.replaceChildren(...log.map(line));
      return;
    }
    this.list.prepend(...log.slice(0, fresh).map(line));
    while (this.list.childElementCount > log.length) {
      this.list.lastElementChild?.remove();
    }
  }

  #choose(name: Group | null): void {
    if (name === null) {
      this.#chosen.clear();
    } else if (!this.#chosen.delete(name)) {
      this.#chosen.add(name);
    }
    this.#all.setAttribute("aria-pressed", String(this.#chosen.size === 0));
    for (const [group, { button }] of this.#buttons) {
      button.setAttribute("aria-pressed", String(this.#chosen.has(group)));
      this.list.classList.toggle(`without-${group.toLowerCase()}`, this.#chosen.size > 0 && !this.#chosen.has(group));
    }
    this.#sayNone();
  }

  #sayNone(): void {
    show(this.none, shownLines(this.#drawn, this.#chosen) === 0);
    setText(this.none, this.#drawn.length === 0 ? "Nothing has happened yet." : "Nothing of this kind has happened yet.");
  }
}

function line(entry: LogEntry): HTMLElement {
  const at = new Date(entry.time * 1000);
  const time = h("time", { datetime: Number.isNaN(at.getTime()) ? "" : at.toISOString() }, format.clock(entry.time));
  const kind = h("span", { class: "log-kind" }, WORDS[entry.kind] ?? entry.kind);
  const group = groupOf(entry.kind)?.toLowerCase() ?? "other";
  return h(
    "li",
    { class: `log-line in-${group}`, "data-kind": entry.kind },
    time,
    kind,
    h("bdi", { class: "log-text" }, format.visible(entry.text)),
  );
}
