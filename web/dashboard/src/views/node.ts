/** One comm server in the picture: a card where there is room, else a disc or a dot with its count. */

import { s, setAttribute, setText } from "../dom.ts";
import * as format from "../format.ts";
import type { ServerNow } from "../frames.ts";
import type { NodeSize, Place } from "../layout.ts";
import { STATE_WORDS } from "./card.ts";

export interface Placed {
  server: ServerNow;
  place: Place;
  half: Place;
  size: NodeSize;
}

const NAME_LENGTH: Record<NodeSize, number> = { card: 13, disc: 6, dot: 0 };

export class PictureNode {
  readonly element: SVGAElement;
  readonly #name = s("text", { class: "node-name" });
  readonly #count = s("text", { class: "node-count" });

  constructor({ server, half, size }: Placed) {
    this.element = s("a", {
      class: `node node-${size}`,
      href: `#server-${server.alias}`,
      tabindex: -1,
      "data-alias": server.alias,
    });
    if (server.role === "hub") {
      this.element.append(shape(size, half, "node-ring", 4));
    }
    this.element.append(shape(size, half, "node-shape", 0));
    if (size === "card") {
      setAttribute(this.#name, "y", -4);
      setAttribute(this.#count, "y", 14);
      this.element.append(s("circle", { class: "node-light", cx: 11 - half.x, cy: 10, r: 3.5 }), this.#name, this.#count);
    } else {
      setAttribute(this.#count, "y", size === "disc" ? 4.5 : 3.5);
      this.element.append(this.#count);
      if (size === "disc") {
        setAttribute(this.#name, "y", half.x + 13);
        this.element.append(this.#name);
      }
    }
    setText(this.#name, format.shortName(server.alias, NAME_LENGTH[size]));
  }

  update({ server, place, size }: Placed): void {
    setAttribute(this.element, "transform", `translate(${place.x} ${place.y})`);
    setAttribute(this.element, "data-state", server.state);
    setAttribute(this.element, "aria-label", describe(server));
    setText(this.#count, size === "card" ? format.plural(server.clients, "client") : format.shortCount(server.clients));
  }
}

/** One line about a server, for the caption and for readers of screens. */
export function describe(server: ServerNow): string {
  const kind = server.role === "hub" ? "Hub" : "Server";
  const links = server.links.reduce((sum, link) => sum + link.bytes_in + link.bytes_out, 0);
  const linked =
    server.links.length > 0 ? `, ${format.plural(server.links.length, "link")} with ${format.bytesPerSecond(links)}` : "";
  return `${kind} ${server.alias}, ${STATE_WORDS[server.state]}: ${format.plural(server.clients, "client")}${linked}`;
}

function shape(size: NodeSize, half: Place, name: string, grow: number): SVGElement {
  if (size === "card") {
    const [x, y] = [half.x + grow, half.y + grow];
    return s("rect", { class: name, x: -x, y: -y, width: 2 * x, height: 2 * y, rx: 9 + grow });
  }
  return s("circle", { class: name, r: half.x + grow * 0.75 });
}
