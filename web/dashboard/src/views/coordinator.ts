/** The coordinator's own figures, under the picture. */

import { h, setText } from "../dom.ts";
import * as format from "../format.ts";
import type { CoordinatorNow } from "../frames.ts";
import type { ClusterState } from "../state.ts";

const FACTS: [string, (coordinator: CoordinatorNow) => string][] = [
  ["Signed on", (coordinator) => format.plural(coordinator.clients, "client")],
  ["Joins", (coordinator) => format.count(coordinator.joins)],
  ["Refusals", (coordinator) => format.count(coordinator.refusals)],
  ["CPU", (coordinator) => format.percent(coordinator.cpu)],
  ["Memory", (coordinator) => format.bytes(coordinator.memory_bytes)],
  ["Up", (coordinator) => format.duration(coordinator.uptime_s)],
];

export class Coordinator {
  readonly #values = FACTS.map(() => h("dd"));

  constructor(list: HTMLElement) {
    list.replaceChildren(...FACTS.map(([name], index) => h("div", {}, h("dt", {}, name), this.#values[index] ?? "")));
  }

  update({ coordinator }: ClusterState): void {
    for (const [index, [, text]] of FACTS.entries()) {
      const value = this.#values[index];
      if (value !== undefined) {
        setText(value, coordinator === null ? "" : text(coordinator));
      }
    }
  }
}
