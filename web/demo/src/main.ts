// The demo world: a small plaza to walk in, with everyone else who is on the cluster.
import { AuthError, type Client, connect, RtcBrokerError } from "rtcbroker";
import { keepName, keepToken, knownName, tabStore, takeToken } from "./access.ts";
import { Banner } from "./banner.ts";
import type { BrokerState } from "./broker.ts";
import { Chat } from "./chat.ts";
import { byId, write } from "./dom.ts";
import { Door, type Visitor } from "./door.ts";
import { Hud } from "./hud.ts";
import { isTyping } from "./input.ts";
import { Pinger } from "./pinger.ts";
import { Stage } from "./stage.ts";
import { guestName } from "./talk.ts";
import { HZ, Visit } from "./visit.ts";
import { Crowd } from "./world/crowd.ts";
import { LossMeter } from "./world/loss.ts";

const HUD_MS = 250;
const PING_MS = 2000;

const clock = (): number => performance.now() / 1000;

/** What is there while you are connected. */
interface Stay {
  readonly client: Client;
  readonly visit: Visit;
  readonly crowd: Crowd;
  readonly loss: LossMeter;
  readonly pinger: Pinger;
}

class Page {
  private readonly store = tabStore();
  private readonly banner = new Banner();
  private readonly hud = new Hud();
  private readonly door = new Door();
  private readonly stage = new Stage(Math.random, () => this.moved());
  private readonly chat = new Chat(
    (text) => void this.say(text),
    () => this.stage.focus(),
  );
  private stay: Stay | undefined;
  private isConnecting = false;

  async run(): Promise<void> {
    this.stage.run();
    window.setInterval(() => this.stay?.visit.tick(), 1000 / HZ);
    window.setInterval(() => this.readings(), HUD_MS);
    window.setInterval(() => void this.stay?.pinger.ask(), PING_MS);
    window.addEventListener("keydown", (event) => this.onKey(event));
    window.addEventListener("pagehide", () => void this.stay?.client.close());
    byId("rename", HTMLButtonElement).addEventListener("click", () => void this.rename());
    let visitor: Visitor = { name: knownName(this.store) ?? guestName(Math.random), token: takeToken(this.store) ?? "" };
    let message = "";
    for (;;) {
      if (message || !visitor.token) visitor = await this.ask(visitor, message);
      message = await this.visit(visitor);
    }
  }

  private async ask(before: Visitor, message: string): Promise<Visitor> {
    this.banner.hide();
    const given = await this.door.enter(before, message);
    const name = given.name || before.name;
    keepToken(this.store, given.token);
    keepName(this.store, name);
    return { name, token: given.token };
  }

  /** From joining to the end of the connection; says why it ended. */
  private async visit({ name, token }: Visitor): Promise<string> {
    this.banner.show("looking for a comm server …");
    this.isConnecting = true;
    let client: Client;
    try {
      client = await connect(undefined, { token: token || undefined });
    } catch (error) {
      return told(error);
    } finally {
      this.isConnecting = false;
    }
    const ended = this.watch(client);
    try {
      await this.enter(client, name);
      return await ended;
    } catch (error) {
      await client.close();
      return told(error);
    } finally {
      this.stay = undefined;
      this.stage.guest = undefined;
    }
  }

  private async enter(client: Client, name: string): Promise<void> {
    const loss = new LossMeter();
    const crowd = new Crowd(loss);
    const heard = this.chat.add.bind(this.chat);
    const { walker } = this.stage;
    const parts = { broker: client, walker, crowd, loss, clock, random: Math.random };
    const visit = new Visit({ ...parts, heard: (sender, line) => heard(sender, line, false) }, name);
    await visit.begin();
    this.stay = { client, visit, crowd, loss, pinger: new Pinger(client, clock) };
    this.stage.guest = {
      crowd,
      get middle() {
        return visit.middle;
      },
      get alias() {
        return client.alias;
      },
      get server() {
        return client.state === "connected" ? client.server : 0;
      },
      get name() {
        return visit.ownName;
      },
    };
    write(byId("rename-name", HTMLElement), visit.ownName);
    this.banner.hide();
    this.stage.focus();
    await this.stay.pinger.ask();
  }

  /** Tell of each change of state; resolves when the client has closed. */
  private watch(client: Client): Promise<string> {
    let leftAt = 0;
    return new Promise((resolve) => {
      client.on("state", (state, cause) => {
        if (state === "reconnecting") {
          // That it is lost is noticed some time after the last word of it.
          const { visit, pinger } = this.stay ?? {};
          leftAt = Math.max(visit?.heardAt ?? 0, pinger?.answeredAt ?? 0) || clock();
          this.banner.show("moving to another server …");
        } else if (state === "connected") {
          const seconds = (clock() - leftAt).toFixed(1);
          this.stay?.visit.moved();
          this.banner.flash(`now on server ${client.server}, after ${seconds} s`);
          this.chat.note(`You are on server ${client.server} now.`);
        } else if (state === "closed") {
          resolve(cause ? told(cause) : "The connection was closed.");
        }
        this.readings();
      });
    });
  }

  private readings(): void {
    const { stay, stage } = this;
    const now = clock();
    const state: BrokerState = stay?.client.state ?? (this.isConnecting ? "connecting" : "closed");
    this.hud.show({
      state,
      server: state === "connected" ? (stay?.client.server ?? 0) : 0,
      rtt: state === "connected" ? stay?.pinger.rtt : undefined,
      inPerS: stay?.visit.incoming.perSecond(now) ?? 0,
      outPerS: stay?.visit.outgoing.perSecond(now) ?? 0,
      loss: stay?.loss.share(now),
      others: stay?.crowd.size ?? 0,
      fps: stage.frames.perSecond,
      worstFrame: stage.frames.worst,
    });
    stage.tell();
  }

  private async say(text: string): Promise<void> {
    const { stay } = this;
    if (!stay) return;
    try {
      const line = await stay.visit.say(text);
      if (line) this.chat.add(stay.client.alias, line, true);
    } catch (error) {
      this.chat.note(`Not said: ${told(error)}`);
    }
  }

  private async rename(): Promise<void> {
    const { stay } = this;
    if (!stay) return;
    const name = await this.door.rename(stay.visit.ownName);
    if (name) {
      stay.visit.rename(name);
      keepName(this.store, stay.visit.ownName);
      write(byId("rename-name", HTMLElement), stay.visit.ownName);
    }
    this.stage.focus();
  }

  private moved(): void {
    byId("hint", HTMLElement).classList.add("gone");
  }

  private onKey(event: KeyboardEvent): void {
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" && !(event.target instanceof HTMLButtonElement)) {
      event.preventDefault();
      this.chat.focus();
    } else if (event.code === "KeyF" && !event.repeat) {
      this.hud.toggleFps();
    }
  }
}

function told(error: unknown): string {
  if (error instanceof AuthError) return `The token was refused: ${error.message}`;
  if (error instanceof RtcBrokerError) return error.message;
  throw error;
}

void new Page().run();
