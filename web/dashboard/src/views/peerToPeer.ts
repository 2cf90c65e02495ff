/** The peer-to-peer protocols that are switched on. */

import { h, setText, show } from "../dom.ts";
import * as format from "../format.ts";
import type { PeerToPeerNow } from "../frames.ts";
import { KeyedList } from "../keyed.ts";
import type { ClusterState } from "../state.ts";

const NAMES: Record<string, string> = { apprtc: "AppRTC", nextrtc: "NextRTC", gstreamer: "GStreamer" };

class ProtocolRow {
  readonly #name = h("th", { scope: "row" });
  readonly #numbers = [
    h("td", { class: "number" }),
    h("td", { class: "number" }),
    h("td", { class: "number" }),
    h("td", { class: "number" }),
  ];
  readonly element = h("tr", {}, this.#name, ...this.#numbers);

  update(row: PeerToPeerNow): void {
    setText(this.#name, NAMES[row.protocol] ?? row.protocol);
    for (const [index, number] of [row.rooms, row.members, row.messages, row.errors].entries()) {
      const cell = this.#numbers[index];
      if (cell !== undefined) {
        setText(cell, format.count(number));
      }
    }
  }
}

export class PeerToPeer {
  readonly #rows: KeyedList<PeerToPeerNow, ProtocolRow>;

  constructor(
    private readonly section: HTMLElement,
    body: HTMLElement,
  ) {
    this.#rows = new KeyedList(
      body,
      (row) => row.protocol,
      () => new ProtocolRow(),
    );
  }

  update({ coordinator }: ClusterState): void {
    const rows = coordinator?.p2p ?? [];
    this.#rows.follow(rows);
    show(this.section, rows.length > 0);
  }
}
