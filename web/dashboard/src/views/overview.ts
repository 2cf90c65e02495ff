/** The cluster in six figures. */

import { h, setAttribute, setText } from "../dom.ts";
import * as format from "../format.ts";
import type { Point, ServerNow } from "../frames.ts";
import { type ClusterState, dropCount } from "../state.ts";
import { Sparkline } from "./sparkline.ts";

interface Figure {
  value: string;
  note: string;
  alert?: boolean;
}

class Tile {
  readonly element: HTMLElement;
  readonly #value = h("span", { class: "tile-value" });
  readonly #note = h("span", { class: "tile-note" });

  constructor(
    name: string,
    private readonly figure: (state: ClusterState) => Figure,
    private readonly sparkline: Sparkline,
  ) {
    const text = h("dd", { class: "tile-text" }, this.#value, this.#note);
    this.element = h("div", { class: "tile" }, h("dt", {}, name), text, h("dd", { class: "tile-spark" }, sparkline.element));
  }

  update(state: ClusterState): void {
    const { value, note, alert } = this.figure(state);
    setText(this.#value, value);
    setText(this.#note, note);
    setAttribute(this.element, "data-alert", alert === true);
    this.sparkline.update(state.cluster, state.time);
  }
}

export class Overview {
  readonly #tiles: readonly Tile[];

  constructor(parent: HTMLElement) {
    this.#tiles = [
      new Tile("Clients", clients, new Sparkline((point) => point.clients, format.count)),
      new Tile("Packets in", packetsIn, new Sparkline((point) => point.packets_in, format.perSecond)),
      new Tile("Packets out", packetsOut, new Sparkline((point) => point.packets_out, format.perSecond)),
      new Tile("Relay latency p99", latency, new Sparkline((point) => point.p99_ms, format.latency)),
      new Tile("Dropped", dropped, new Sparkline((point) => point.drops, format.perSecond)),
      new Tile("CPU of servers", processors, new Sparkline((point) => point.cpu, format.cores)),
    ];
    parent.replaceChildren(...this.#tiles.map((tile) => tile.element));
  }

  update(state: ClusterState): void {
    for (const tile of this.#tiles) {
      tile.update(state);
    }
  }
}

function newest(state: ClusterState): Point | undefined {
  return state.cluster[state.cluster.length - 1];
}

function clients(state: ClusterState): Figure {
  const ready = state.servers.filter((server) => server.state === "ready").length;
  const all = state.servers.length;
  const note = ready === all ? `on ${format.plural(all, "server")}` : `on ${format.plural(all, "server")}, ${ready} ready`;
  return { value: format.count(newest(state)?.clients ?? 0), note };
}

function packetsIn(state: ClusterState): Figure {
  const point = newest(state);
  return { value: format.perSecond(point?.packets_in ?? 0), note: format.bytesPerSecond(point?.bytes_in ?? 0) };
}

function packetsOut(state: ClusterState): Figure {
  const point = newest(state);
  return { value: format.perSecond(point?.packets_out ?? 0), note: format.bytesPerSecond(point?.bytes_out ?? 0) };
}

function latency(state: ClusterState): Figure {
  const point = newest(state);
  const many = state.servers.length > 1;
  const note = point?.p99_ms == null ? "nothing relayed" : `p50 ${format.latency(point.p50_ms)}${many ? ", the slowest" : ""}`;
  return { value: format.latency(point?.p99_ms), note };
}

function dropped(state: ClusterState): Figure {
  const now = newest(state)?.drops ?? 0;
  const total = state.servers.reduce((sum, server) => sum + dropCount(server), 0);
  return {
    value: format.perSecond(now),
    note: `${format.count(total)} in all, ${shareDropped(state.servers, total)}`,
    alert: now > 0,
  };
}

function shareDropped(servers: readonly ServerNow[], total: number): string {
  const delivered = servers.reduce((sum, server) => sum + server.totals.deliveries, 0);
  return format.percent(total === 0 ? 0 : total / (total + delivered));
}

function processors(state: ClusterState): Figure {
  const memory = state.servers.reduce((sum, server) => sum + server.memory_bytes, 0);
  return { value: format.cores(newest(state)?.cpu ?? 0), note: `${format.bytes(memory)} of memory` };
}
