/** In which order cards stand. Names decide between equals, so that nothing changes places without a reason. */

import type { ServerNow } from "./frames.ts";
import { dropRate } from "./state.ts";

export const ORDERS = {
  name: "Name",
  clients: "Clients",
  packets: "Packets out",
  latency: "Latency",
  drops: "Drops",
  cpu: "CPU",
} as const;
export type Order = keyof typeof ORDERS;

const MEASURE: Record<Exclude<Order, "name">, (server: ServerNow) => number> = {
  clients: (server) => server.clients,
  packets: (server) => server.rates.packets_out,
  latency: (server) => server.latency_ms?.p99 ?? -1,
  drops: dropRate,
  cpu: (server) => server.cpu,
};

/** By name, or the highest first. */
export function ordered(servers: readonly ServerNow[], order: Order): ServerNow[] {
  const copy = [...servers].sort(byName);
  return order === "name" ? copy : copy.sort((one, other) => MEASURE[order](other) - MEASURE[order](one));
}

/** Lists change places this often at most, in seconds: one that jumps every second cannot be read. */
export const REORDER_S = 5;

/** An order that holds for {@link REORDER_S}; in between newcomers go last. */
export class Calm<T> {
  #order = new Map<string, number>();
  #at = Number.NEGATIVE_INFINITY;

  constructor(private readonly key: (item: T) => string) {}

  /** `sorted` as it should stand at `now` (seconds). */
  order(sorted: readonly T[], now: number): T[] {
    const due = now - this.#at >= REORDER_S || now < this.#at;
    const items = due ? [...sorted] : [...sorted].sort((one, other) => this.#place(one) - this.#place(other));
    if (due) {
      this.#at = now;
    }
    this.#order = new Map(items.map((item, index) => [this.key(item), index]));
    return items;
  }

  /** The next order is a new one. */
  forget(): void {
    this.#at = Number.NEGATIVE_INFINITY;
  }

  #place(item: T): number {
    return this.#order.get(this.key(item)) ?? this.#order.size;
  }
}

/** Names that are numbers sort as numbers. */
function byName(one: ServerNow, other: ServerNow): number {
  return one.alias.length - other.alias.length || (one.alias < other.alias ? -1 : one.alias > other.alias ? 1 : 0);
}
