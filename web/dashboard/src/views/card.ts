/** One comm server: a card that is made once and changed in place. */

import { h, setAttribute, setProperty, setText, show } from "../dom.ts";
import * as format from "../format.ts";
import type { Drop, Point, ServerNow, ServerState } from "../frames.ts";
import { KeyedList } from "../keyed.ts";
import { Sparkline } from "./sparkline.ts";

export const STATE_WORDS: Record<ServerState, string> = {
  ready: "ready",
  linking: "linking",
  full: "full",
  draining: "draining",
  stale: "not reporting",
  silent: "no reports",
};

export interface Shown {
  server: ServerNow;
  history: readonly Point[];
  /** Seconds since the epoch. */
  now: number;
}

const MAX_DROPS = 6;
const SILENT = "This server sends no reports, as older versions do. Shown is what the coordinator knows of it.";

export class ServerCard {
  readonly element: HTMLElement;
  #visible = false;
  #shown: Shown | null = null;
  readonly #state = h("span", { class: "badge" });
  readonly #hub = h("span", { class: "badge badge-plain" }, "hub");
  readonly #about = h("p", { class: "card-about" });
  readonly #silent = h("p", { class: "card-silent" }, SILENT);
  readonly #clients = new Fact("Clients");
  readonly #meter = h("span", { class: "meter", "aria-hidden": "true" });
  readonly #rows = [
    new Row("Packets in", (server) => [format.perSecond(server.rates.packets_in), format.bytesPerSecond(server.rates.bytes_in)], {
      value: (point) => point.packets_in,
      written: format.perSecond,
    }),
    new Row(
      "Packets out",
      (server) => [format.perSecond(server.rates.packets_out), format.bytesPerSecond(server.rates.bytes_out)],
      {
        value: (point) => point.packets_out,
        written: format.perSecond,
      },
    ),
    new Row(
      "Latency p99",
      (server) => [format.latency(server.latency_ms?.p99), `p50 ${format.latency(server.latency_ms?.p50)}`],
      {
        value: (point) => point.p99_ms,
        written: format.latency,
      },
    ),
  ];
  readonly #facts = {
    topics: new Fact("Topics"),
    subscriptions: new Fact("Subscriptions"),
    cpu: new Fact("CPU"),
    memory: new Fact("Memory"),
    links: new Fact("Links"),
  };
  readonly #reported: HTMLElement;
  readonly #drops = h("ul", { class: "drops" });
  readonly #dropList = new KeyedList<Drop, DropItem>(
    this.#drops,
    (drop) => drop.reason,
    () => new DropItem(),
  );
  readonly #noDrops = h("p", { class: "drops-none" });

  constructor(alias: string) {
    const name = h("h3", { class: "card-name", id: `name-${alias}` }, alias);
    const head = h("header", { class: "card-head" }, name, this.#hub, this.#state);
    const rows = h("dl", { class: "rows" }, ...this.#rows.map((row) => row.element));
    const facts = h("dl", { class: "facts" }, ...[this.#clients, ...Object.values(this.#facts)].map((fact) => fact.element));
    const drops = h("div", { class: "card-drops" }, h("h4", {}, "Dropped"), this.#noDrops, this.#drops);
    this.#clients.element.append(this.#meter);
    this.#reported = h("div", { class: "card-reported" }, rows, drops);
    const attributes = { class: "card", id: `server-${alias}`, tabindex: -1, "aria-labelledby": name.id };
    this.element = h("article", attributes, head, this.#about, facts, this.#silent, this.#reported);
  }

  update(shown: Shown): void {
    this.#shown = shown;
    const { server } = shown;
    const reports = server.state !== "silent";
    setAttribute(this.element, "data-state", server.state);
    setText(this.#state, STATE_WORDS[server.state]);
    show(this.#hub, server.role === "hub");
    setText(this.#about, aboutOf(server));
    this.#drawFacts(server, reports);
    show(this.#silent, !reports);
    show(this.#reported, reports);
    for (const row of this.#rows) {
      row.update(server);
    }
    this.#drawDrops(server.drops);
    this.#drawLines();
  }

  /** Texts are cheap and always true; lines are drawn while they can be seen. */
  see(visible: boolean): void {
    this.#visible = visible;
    this.#drawLines();
  }

  #drawLines(): void {
    if (this.#visible && this.#shown !== null) {
      for (const row of this.#rows) {
        row.draw(this.#shown.history, this.#shown.now);
      }
    }
  }

  #drawFacts(server: ServerNow, reports: boolean): void {
    const limit = server.max_clients > 0 ? ` / ${format.count(server.max_clients)}` : "";
    this.#clients.update(format.count(server.clients), limit);
    show(this.#meter, server.max_clients > 0);
    const share = server.max_clients > 0 ? Math.min(1, server.clients / server.max_clients) : 0;
    setProperty(this.#meter, "--share", share.toFixed(3));
    setAttribute(this.#meter, "data-high", share >= 0.9);
    for (const fact of Object.values(this.#facts)) {
      show(fact.element, reports);
    }
    this.#facts.topics.update(format.count(server.topics));
    this.#facts.subscriptions.update(format.count(server.subscriptions));
    this.#facts.cpu.update(format.percent(server.cpu));
    this.#facts.memory.update(format.bytes(server.memory_bytes));
    const flow = server.links.reduce((sum, link) => sum + link.bytes_in + link.bytes_out, 0);
    this.#facts.links.update(format.count(server.links.length), server.links.length > 0 ? ` ${format.bytesPerSecond(flow)}` : "");
  }

  #drawDrops(drops: readonly Drop[]): void {
    const seen = drops.filter((drop) => drop.count > 0).sort((one, other) => other.count - one.count);
    const more = seen.length - MAX_DROPS;
    this.#dropList.follow(seen.slice(0, MAX_DROPS));
    show(this.#drops, seen.length > 0);
    show(this.#noDrops, seen.length === 0 || more > 0);
    setText(this.#noDrops, seen.length === 0 ? "nothing" : `and for ${format.plural(more, "other reason")}`);
  }
}

function aboutOf(server: ServerNow): string {
  const parts: string[] = [];
  if (server.version !== "") {
    parts.push(`version ${server.version}`);
  }
  if (server.uptime_s > 0) {
    parts.push(`up ${format.duration(server.uptime_s)}`);
  }
  if (server.state === "stale") {
    parts.push(`last report ${format.duration(server.age_s)} ago`);
  }
  return parts.join(" \u00b7 ");
}

/** A name and a number. */
class Fact {
  readonly element: HTMLElement;
  readonly #value = h("span", { class: "fact-value" });
  readonly #rest = h("span", { class: "fact-rest" });

  constructor(name: string) {
    this.element = h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, this.#value, this.#rest));
  }

  update(value: string, rest = ""): void {
    setText(this.#value, value);
    setText(this.#rest, rest);
  }
}

/** A name, its number, the last minute, and a second number. */
class Row {
  readonly element: HTMLElement;
  readonly #value = h("dd", { class: "row-value" });
  readonly #second = h("dd", { class: "row-second" });
  readonly #sparkline: Sparkline;

  constructor(
    name: string,
    private readonly texts: (server: ServerNow) => [string, string],
    line: { value: (point: Point) => number | null; written: (value: number) => string },
  ) {
    this.#sparkline = new Sparkline(line.value, line.written);
    const drawn = h("dd", { class: "row-spark" }, this.#sparkline.element);
    this.element = h("div", { class: "row" }, h("dt", {}, name), this.#value, this.#second, drawn);
  }

  update(server: ServerNow): void {
    const [value, second] = this.texts(server);
    setText(this.#value, value);
    setText(this.#second, second);
  }

  draw(history: readonly Point[], now: number): void {
    this.#sparkline.update(history, now);
  }
}

class DropItem {
  readonly #reason = h("span", { class: "drop-reason" });
  readonly #count = h("span", { class: "drop-count" });
  readonly #rate = h("span", { class: "drop-rate" });
  readonly element = h("li", { class: "drop" }, this.#reason, " ", this.#count, " ", this.#rate);

  update(drop: Drop): void {
    setText(this.#reason, format.visible(drop.reason.replaceAll("_", " ")));
    setText(this.#count, format.count(drop.count));
    setText(this.#rate, drop.rate > 0 ? `+${format.perSecond(drop.rate)}` : "");
    setAttribute(this.element, "data-now", drop.rate > 0);
  }
}
