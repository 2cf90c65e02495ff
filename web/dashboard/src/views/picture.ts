/** The picture of the cluster: who is there, who is linked with whom, and how much flows. */

import { s, setAttribute, setProperty, setText } from "../dom.ts";
import * as format from "../format.ts";
import type { ServerNow } from "../frames.ts";
import { KeyedList } from "../keyed.ts";
import { HUB, type Layout, layout, linkPath, type Place, pictureHeight } from "../layout.ts";
import { DENSE_LINKS, type Link, type Links, linksOf, linkWidth, traffic } from "../links.ts";
import { ordered } from "../order.ts";
import type { ClusterState } from "../state.ts";
import { describe, PictureNode, type Placed } from "./node.ts";

interface Drawn {
  link: Link;
  path: string;
  dense: boolean;
}

class LinkLine {
  readonly element = s("path", { class: "link" });
  link: Link | null = null;

  update({ link, path, dense }: Drawn): void {
    this.link = link;
    setAttribute(this.element, "d", path);
    setAttribute(this.element, "stroke-width", linkWidth(traffic(link), dense));
    setAttribute(this.element, "data-key", link.key);
  }
}

class Spoke {
  readonly element = s("path", { class: "spoke" });

  update(path: string): void {
    setAttribute(this.element, "d", path);
  }
}

/** With more servers the lines to the coordinator say nothing any more. */
const MAX_SPOKES = 40;

export class Picture {
  readonly #svg = s("svg", { class: "picture-svg", role: "group" });
  readonly #spokes: KeyedList<string, Spoke>;
  readonly #links: KeyedList<Drawn, LinkLine>;
  readonly #nodes: KeyedList<Placed, PictureNode>;
  readonly #joins = s("text", { class: "hub-note", y: 13 });
  readonly #hub = s("g", { class: "coordinator" });
  #width = 0;
  #height = 0;
  #state: ClusterState | null = null;
  #layout: Layout | null = null;
  /** The server that the keyboard's way through the picture goes by, and the one that is pointed at. */
  #stop = "";
  #pointed: Element | null = null;

  constructor(
    private readonly parent: HTMLElement,
    private readonly caption: HTMLElement,
    private readonly open: (alias: string) => void,
  ) {
    const [spokes, links, nodes] = [s("g"), s("g", { class: "links" }), s("g", { class: "nodes" })];
    const box = s("rect", { class: "hub-shape", x: -HUB.x, y: -HUB.y, width: 2 * HUB.x, height: 2 * HUB.y, rx: 10 });
    this.#hub.append(box, s("text", { class: "hub-name", y: -4 }, "coordinator"), this.#joins);
    this.#svg.append(spokes, links, this.#hub, nodes);
    parent.replaceChildren(this.#svg);
    this.#spokes = new KeyedList<string, Spoke>(
      spokes,
      (path) => path,
      () => new Spoke(),
    );
    this.#links = new KeyedList<Drawn, LinkLine>(
      links,
      (drawn) => drawn.link.key,
      () => new LinkLine(),
    );
    // a node of another size is another element
    this.#nodes = new KeyedList<Placed, PictureNode>(
      nodes,
      (placed) => `${placed.size} ${placed.server.role} ${placed.server.alias}`,
      (placed) => new PictureNode(placed),
    );
    this.#listen();
    new ResizeObserver(() => this.#resized()).observe(parent);
  }

  update(state: ClusterState): void {
    this.#state = state;
    this.#draw();
  }

  #resized(): void {
    const [width, height] = [Math.floor(this.parent.clientWidth), Math.floor(this.parent.clientHeight)];
    if (width !== this.#width || height !== this.#height) {
      this.#width = width;
      this.#height = height;
      this.#draw();
    }
  }

  #draw(): void {
    const state = this.#state;
    if (state === null || this.#width === 0) {
      return;
    }
    const servers = ordered(state.servers, "name");
    const plan = this.#plan(servers.length);
    const links = linksOf(servers);
    const { drawn } = links;
    const places = new Map(servers.map((server, index) => [server.alias, plan.places[index] ?? plan.centre]));
    this.#spokes.follow(plan.places.length > MAX_SPOKES ? [] : plan.places.map((place) => straight(plan.centre, place)));
    const dense = drawn.length > DENSE_LINKS;
    this.#svg.classList.toggle("dense", dense);
    this.#links.follow(drawn.map((link) => ({ link, path: pathOf(link, places, plan.centre), dense })));
    this.#nodes.follow(
      servers.map((server) => ({ server, place: places.get(server.alias) ?? plan.centre, half: plan.half, size: plan.size })),
    );
    setAttribute(this.#hub, "transform", `translate(${plan.centre.x} ${plan.centre.y})`);
    setText(this.#joins, format.plural(state.coordinator?.joins ?? 0, "join"));
    this.#keepStop(servers);
    this.#say(links);
  }

  #plan(servers: number): Layout {
    const least = pictureHeight(this.#width, servers);
    setProperty(this.parent, "--least", `${least}px`);
    const height = Math.max(least, this.#height);
    const old = this.#layout;
    if (old !== null && old.width === this.#width && old.height === height && old.places.length === servers) {
      return old;
    }
    const plan = layout(this.#width, height, servers);
    this.#layout = plan;
    setAttribute(this.#svg, "viewBox", `0 0 ${plan.width} ${plan.height}`);
    setAttribute(this.#svg, "width", plan.width);
    setAttribute(this.#svg, "height", plan.height);
    return plan;
  }

  /** The caption: about what is pointed at, or about all of it. */
  #say({ drawn, total, flow }: Links): void {
    const servers = this.#state?.servers ?? [];
    const left = total > drawn.length ? `, the busiest ${drawn.length} drawn` : "";
    const all = `${format.plural(servers.length, "server")}, ${format.plural(total, "link")}${left}: ${format.bytesPerSecond(flow)} between them`;
    setAttribute(this.#svg, "aria-label", `Cluster of ${all}`);
    if (this.#pointed !== null && !this.#pointed.isConnected) {
      this.#point(null);
    }
    setText(this.caption, this.#aboutPointed(servers) ?? (servers.length === 0 ? "" : all));
  }

  #aboutPointed(servers: readonly ServerNow[]): string | null {
    const alias = this.#pointed?.getAttribute("data-alias");
    if (alias != null) {
      const server = servers.find((candidate) => candidate.alias === alias);
      return server === undefined ? null : describe(server);
    }
    const link = this.#links.get(this.#pointed?.getAttribute("data-key") ?? "")?.link;
    return link == null
      ? null
      : `${link.from} to ${link.to} ${format.bytesPerSecond(link.forth)}, back ${format.bytesPerSecond(link.back)}`;
  }

  #listen(): void {
    const pointed = (event: Event) => this.#point((event.target as Element).closest(".node, .link"));
    this.#svg.addEventListener("pointerover", pointed);
    this.#svg.addEventListener("focusin", pointed);
    this.#svg.addEventListener("pointerleave", () => this.#point(null));
    this.#svg.addEventListener("focusout", () => this.#point(null));
    this.#svg.addEventListener("click", (event) => {
      const alias = (event.target as Element).closest(".node")?.getAttribute("data-alias");
      if (alias != null) {
        event.preventDefault();
        this.open(alias);
      }
    });
    this.#svg.addEventListener("keydown", (event) => this.#walk(event));
  }

  #point(element: Element | null): void {
    if (element === this.#pointed) {
      return;
    }
    this.#pointed = element;
    const alias = element?.getAttribute("data-alias");
    this.#svg.classList.toggle("pointing", alias != null);
    for (const line of this.#links.parts()) {
      line.element.classList.toggle("of-pointed", alias != null && (line.link?.from === alias || line.link?.to === alias));
    }
    this.#draw();
  }

  /** One stop for the tabulator key; the arrows go from server to server. */
  #walk(event: KeyboardEvent): void {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const nodes: Element[] = [...this.#nodes.parts()].map((node) => node.element);
    const here = document.activeElement === null ? -1 : nodes.indexOf(document.activeElement);
    if (step === undefined || here < 0) {
      return;
    }
    event.preventDefault();
    const next = nodes[(here + step + nodes.length) % nodes.length];
    this.#stop = next?.getAttribute("data-alias") ?? "";
    this.#markStop();
    (next as SVGElement | undefined)?.focus();
  }

  #keepStop(servers: readonly ServerNow[]): void {
    if (!servers.some((server) => server.alias === this.#stop)) {
      this.#stop = servers[0]?.alias ?? "";
    }
    this.#markStop();
  }

  #markStop(): void {
    for (const node of this.#nodes.parts()) {
      setAttribute(node.element, "tabindex", node.element.getAttribute("data-alias") === this.#stop ? 0 : -1);
    }
  }
}

function pathOf(link: Link, places: ReadonlyMap<string, Place>, centre: Place): string {
  return linkPath(places.get(link.from) ?? centre, places.get(link.to) ?? centre, centre);
}

function straight(from: Place, to: Place): string {
  return `M${from.x} ${from.y}L${to.x} ${to.y}`;
}
