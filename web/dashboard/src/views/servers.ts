/** The cards of all servers. Two hundred of them may stand on the page, so lines are drawn only on those in view. */

import { h, setText, show } from "../dom.ts";
import * as format from "../format.ts";
import type { ServerNow } from "../frames.ts";
import { KeyedList } from "../keyed.ts";
import { Calm, ORDERS, type Order, ordered } from "../order.ts";
import type { ClusterState } from "../state.ts";
import { ServerCard, type Shown } from "./card.ts";

/** With fewer there is nothing to look for. */
const MIN_TO_ORDER = 4;
/** Begin drawing a little before a card comes into view. */
const MARGIN = "240px";

export class Servers {
  readonly #cards: KeyedList<Shown, ServerCard>;
  readonly #byElement = new WeakMap<Element, ServerCard>();
  readonly #watch: IntersectionObserver;
  readonly #order: HTMLSelectElement;
  readonly #tools: HTMLElement;
  readonly #calm = new Calm<ServerNow>((server) => server.alias);
  #state: ClusterState | null = null;

  constructor(
    private readonly parent: HTMLElement,
    tools: HTMLElement,
    private readonly summary: HTMLElement,
  ) {
    this.#tools = tools;
    this.#order = h("select", { id: "order" }, ...Object.entries(ORDERS).map(([value, text]) => h("option", { value }, text)));
    this.#order.addEventListener("change", () => {
      this.#calm.forget();
      this.#follow();
    });
    tools.replaceChildren(h("label", { for: "order" }, "Sort by"), this.#order);
    this.#watch = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: MARGIN });
    this.#cards = new KeyedList(
      parent,
      (shown) => shown.server.alias,
      (shown) => this.#made(shown.server.alias),
      (card) => this.#watch.unobserve(card.element),
    );
  }

  update(state: ClusterState): void {
    this.#state = state;
    setText(this.summary, state.servers.length > 0 ? format.count(state.servers.length) : "");
    show(this.#tools, state.servers.length >= MIN_TO_ORDER);
    show(this.parent, state.servers.length > 0);
    this.#follow();
  }

  #follow(): void {
    const state = this.#state;
    if (state === null) {
      return;
    }
    const servers = this.#calm.order(ordered(state.servers, this.#order.value as Order), state.time);
    this.#cards.follow(servers.map((server) => ({ server, history: state.history.get(server.alias) ?? [], now: state.time })));
  }

  #made(alias: string): ServerCard {
    const card = new ServerCard(alias);
    this.#byElement.set(card.element, card);
    this.#watch.observe(card.element);
    return card;
  }

  #seen(entries: readonly IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of entries) {
      this.#byElement.get(target)?.see(isIntersecting);
    }
  }
}
