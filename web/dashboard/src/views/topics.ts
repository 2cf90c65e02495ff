/** The busiest topics of the cluster. */

import { h, setAttribute, setProperty, setText, show } from "../dom.ts";
import * as format from "../format.ts";
import type { TopicNow } from "../frames.ts";
import { KeyedList } from "../keyed.ts";
import { Calm } from "../order.ts";
import type { ClusterState } from "../state.ts";

interface Ranked {
  topic: TopicNow;
  /** Of the busiest one's deliveries. */
  share: number;
}

class TopicRow {
  readonly #name = h("bdi", { class: "topic-name" });
  readonly #subscribers = h("td", { class: "number" });
  readonly #records = h("td", { class: "number" });
  readonly #deliveries = h("td", { class: "number" });
  readonly element = h(
    "tr",
    {},
    h("th", { scope: "row", class: "topic" }, this.#name),
    this.#subscribers,
    this.#records,
    this.#deliveries,
  );

  update({ topic, share }: Ranked): void {
    const name = format.visible(topic.topic);
    setText(this.#name, name);
    setAttribute(this.#name, "title", name);
    setText(this.#subscribers, format.count(topic.subscribers));
    setText(this.#records, format.rate(topic.records_per_s));
    setText(this.#deliveries, format.rate(topic.deliveries_per_s));
    setProperty(this.element, "--share", share.toFixed(3));
  }
}

export class Topics {
  readonly #rows: KeyedList<Ranked, TopicRow>;
  readonly #calm = new Calm<TopicNow>((topic) => topic.topic);

  constructor(
    private readonly table: HTMLElement,
    body: HTMLElement,
    private readonly none: HTMLElement,
  ) {
    this.#rows = new KeyedList(
      body,
      (ranked) => ranked.topic.topic,
      () => new TopicRow(),
    );
  }

  update(state: ClusterState): void {
    const sorted = [...state.topics].sort((one, other) => other.deliveries_per_s - one.deliveries_per_s);
    const topics = this.#calm.order(sorted, state.time);
    const most = Math.max(1e-9, ...topics.map((topic) => topic.deliveries_per_s));
    this.#rows.follow(topics.map((topic) => ({ topic, share: topic.deliveries_per_s / most })));
    show(this.table, topics.length > 0);
    show(this.none, topics.length === 0);
  }
}
