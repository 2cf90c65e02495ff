/** Which parts of the page are shown, its header and its banner. */

import { byId, setAttribute, setText, show } from "../dom.ts";
import type { Phase } from "../feed.ts";
import { type ClusterState, EMPTY } from "../state.ts";
import { bannerOf, type Status, statusOf, titleOf } from "../status.ts";
import { keptTheme, type Theme, useTheme } from "../theme.ts";
import { Coordinator } from "./coordinator.ts";
import { Gate } from "./gate.ts";
import { Log } from "./log.ts";
import { Overview } from "./overview.ts";
import { PeerToPeer } from "./peerToPeer.ts";
import { Picture } from "./picture.ts";
import { Servers } from "./servers.ts";
import { Topics } from "./topics.ts";

/** What the person at the page can ask for. */
export interface Wishes {
  offerToken(token: string): void;
  forgetToken(): void;
  tryNow(): void;
  reload(): void;
}

export class Page {
  readonly #gate: Gate;
  readonly #views: readonly { update(state: ClusterState): void }[];
  #status: Status = { tone: "busy", word: "Connecting" };
  #phase: Phase = { kind: "connecting" };
  #state: ClusterState = EMPTY;
  /** Milliseconds; 0 before the first frame. */
  #heard = 0;

  constructor(wishes: Wishes) {
    this.#gate = new Gate((token) => wishes.offerToken(token));
    this.#views = [
      new Overview(byId("tiles")),
      new Picture(byId("picture"), byId("picture-caption"), goToCard),
      new Coordinator(byId("coordinator-facts")),
      new PeerToPeer(byId("p2p"), byId("p2p-body")),
      new Topics(byId("topics"), byId("topics-body"), byId("topics-none")),
      new Servers(byId("cards"), byId("cards-tools"), byId("cards-count")),
      new Log(byId("log"), byId("log-filters"), byId("log-none")),
    ];
    byId("sign-out").addEventListener("click", () => wishes.forgetToken());
    byId("banner-retry").addEventListener("click", () => wishes.tryNow());
    byId("outdated-reload").addEventListener("click", () => wishes.reload());
    setText(byId("start-command"), `rtcbroker commserver --coordinator ${location.origin.replace(/^http/, "ws")}`);
    themeButtons();
  }

  /** The newest state, heard of at `now` (milliseconds). */
  draw(state: ClusterState, now: number): void {
    this.#state = state;
    this.#heard = state.time === 0 ? 0 : now;
    for (const view of this.#views) {
      view.update(state);
    }
    setText(byId("version"), state.version === "" ? "" : `version ${state.version}`);
    show(byId("no-servers"), state.servers.length === 0);
    setAttribute(byId("cluster"), "data-empty", state.servers.length === 0);
    show(byId("start-secret"), state.auth);
    show(byId("sign-out"), state.auth);
    show(byId("outdated"), state.outdated);
    this.#arrange(now);
  }

  /** The title alone: it is read in the list of tabs, where a page that is not seen is not drawn. */
  entitle(state: ClusterState): void {
    document.title = titleOf(this.#status, state);
  }

  enter(phase: Phase, now: number): void {
    this.#status = statusOf(phase, this.#status);
    this.#phase = phase;
    if (phase.kind === "token") {
      this.#gate.open(phase.trouble);
    } else {
      this.#gate.close();
    }
    this.#arrange(now);
  }

  /** Times in the banner go on. */
  tick(now: number): void {
    const banner = bannerOf(this.#phase, this.#status, this.#heard, now);
    show(byId("banner"), banner !== "");
    setText(byId("banner-text"), banner);
    setAttribute(byId("banner-retry"), "disabled", this.#phase.kind === "connecting");
  }

  #arrange(now: number): void {
    const { tone, word } = this.#status;
    const known = this.#state.time > 0;
    setText(byId("status-word"), word);
    setAttribute(byId("status"), "data-tone", tone);
    setAttribute(byId("main"), "data-stale", tone === "bad");
    show(byId("cluster"), known);
    show(byId("waiting"), !known && tone !== "quiet");
    setText(byId("waiting-text"), tone === "bad" ? "Nothing to show yet." : "Connecting to the coordinator");
    this.entitle(this.#state);
    this.tick(now);
  }
}

function goToCard(alias: string): void {
  const card = document.getElementById(`server-${alias}`);
  card?.scrollIntoView({ block: "center" });
  card?.focus({ preventScroll: true });
}

function themeButtons(): void {
  const buttons = [...byId("themes").querySelectorAll<HTMLButtonElement>("button")];
  const press = (theme: Theme) => {
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(button.value === theme));
    }
  };
  press(keptTheme());
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const theme = button.value as Theme;
      useTheme(theme);
      press(theme);
    });
  }
}
