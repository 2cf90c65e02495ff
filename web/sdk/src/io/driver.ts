// The shell around the session: one event in, all outputs done, one timer kept; and whoever waits is served.
//
// Every entry has the same shape (`feed`). Doing an output may bring the next event at once; it waits in line until the outputs of the one
// before are done.
import type { Token } from "../api.ts";
import { Delivery } from "../core/delivery.ts";
import { ClientClosed, NotConnected, type RtcBrokerError } from "../core/errors.ts";
import type { Event, Output } from "../core/events.ts";
import type { ClientOptions } from "../core/options.ts";
import { Session } from "../core/session.ts";
import type { ClientState } from "../core/states.ts";
import { newStats } from "../core/stats.ts";
import { SubscriptionSet } from "../core/subscriptions.ts";
import { Turns } from "../core/turns.ts";
import { Links } from "./links.ts";
import { Listeners } from "./listeners.ts";
import type { Platform, Timer } from "./platform.ts";
import { Sender } from "./sender.ts";
import { CoordinatorSocket } from "./socket.ts";
import { askToken, NoToken } from "./tokens.ts";
import { withQuery } from "./url.ts";
import { Waiters } from "./waiting.ts";

/** One client at work. */
export class Driver {
  readonly stats = newStats();
  readonly subscriptions = new SubscriptionSet();
  readonly delivery = new Delivery(this.stats);
  readonly session: Session;
  readonly sender: Sender;
  /** Served when the client is connected; fails with the cause when it will not be. */
  readonly connected: Waiters<null, void>;
  /** Those who wait for a version of the subscriptions to be acknowledged. */
  readonly settled: Waiters<number, void>;
  /** Those who wait for the PING of a number; they get the seconds it took. */
  readonly pings: Waiters<number, number>;
  readonly stateListeners: Listeners<[ClientState, RtcBrokerError?]>;
  readonly errorListeners: Listeners<[RtcBrokerError]>;
  /** Told that the client is closed, with the error where that was not the application's wish. */
  readonly endListeners: Listeners<[ClientClosed?]>;
  readonly #links: Links;
  readonly #events: Event[] = [];
  #socket: CoordinatorSocket | undefined;
  #isBusy = false;
  #isFlushDue = false;
  #timer: Timer;
  #timerAt = Number.POSITIVE_INFINITY;
  #unwatch: (() => void) | undefined;
  #cause: RtcBrokerError | undefined;

  /** @param urls as `connectUrls` gives them; each dial goes to the next */
  constructor(
    readonly platform: Platform,
    urls: readonly string[],
    readonly token: Token | undefined,
    readonly options: ClientOptions,
  ) {
    const { stats, subscriptions, delivery } = this;
    this.session = new Session({
      options,
      stats,
      subscriptions,
      delivery,
      random: platform.random,
      coordinators: new Turns(
        urls.map((url) => ({ url, host: new URL(url).host })),
        platform.random,
      ),
      token: typeof token === "string" ? token : undefined,
      renewable: typeof token === "function",
    });
    // Waiting for room relies on the low mark being crossed from above, so it lies below both of ours.
    const lowMark = Math.floor(Math.min(options.reliableBuffer, options.unreliableBuffer) / 2);
    this.#links = new Links(platform, options.iceTransportPolicy, lowMark, {
      feed: (event) => this.feed(event),
      message: (link, data, reliable) => this.#message(link, data, reliable),
      room: () => this.#room(),
    });
    this.sender = new Sender(platform, options, stats, () => this.session, this.#links);
    this.connected = new Waiters(platform);
    this.settled = new Waiters(platform);
    this.pings = new Waiters(platform);
    this.stateListeners = new Listeners(platform.report);
    this.errorListeners = new Listeners(platform.report);
    this.endListeners = new Listeners(platform.report);
  }

  // ------------------------------------------------------------------------------------------------------------ the loop

  /** Take one event, do all that follows from it, and set the timer. */
  feed(event: Event): void {
    this.#events.push(event);
    if (!this.#isBusy) this.#work();
  }

  /** Do what the session wants done, where it was not asked by an event. */
  perform(outputs: Output[]): void {
    if (outputs.length > 0) this.#work(outputs);
  }

  #work(outputs: Output[] = []): void {
    const wasBusy = this.#isBusy;
    this.#isBusy = true;
    try {
      for (const output of outputs) this.#do(output);
      while (!wasBusy) {
        const event = this.#events.shift();
        if (event === undefined) break;
        for (const output of this.session.handle(event, this.platform.now())) this.#do(output);
      }
    } finally {
      this.#isBusy = wasBusy;
    }
    this.#setTimer();
  }

  // The busiest entry: nearly always the packets are delivered by now and nothing is left to be done. The timer may stay as it is: a message
  // only ever puts deadlines off, and the timer looks again when it fires.
  #message(link: number, data: Uint8Array, reliable: boolean): void {
    const wasBusy = this.#isBusy;
    this.#isBusy = true; // a callback of the application may close the client, say: that comes afterwards
    let outputs: Output[];
    try {
      outputs = this.session.received(link, data, reliable, this.platform.now());
    } finally {
      this.#isBusy = wasBusy;
    }
    if (outputs.length > 0 || this.#events.length > 0) this.#work(outputs);
  }

  #setTimer(): void {
    const deadline = this.session.nextDeadline() ?? Number.POSITIVE_INFINITY;
    if (this.#timerAt <= deadline && deadline !== Number.POSITIVE_INFINITY) return; // early at worst
    this.platform.clearTimer(this.#timer);
    this.#timerAt = deadline;
    if (deadline === Number.POSITIVE_INFINITY) return;
    this.#timer = this.platform.setTimer(
      () => {
        this.#timerAt = Number.POSITIVE_INFINITY;
        this.feed({ kind: "deadline" });
      },
      Math.max(0, deadline - this.platform.now()),
    );
  }

  /** At the end of this turn, send the changed subscriptions and what was published. */
  flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.platform.soon(() => this.flush());
  }

  /** Send them now. */
  flush(): void {
    this.#isFlushDue = false;
    if (this.subscriptions.changed && this.session.joined) this.feed({ kind: "subscriptionsChanged" });
    this.sender.flush();
  }

  #room(): void {
    if (this.sender.hasRoom()) this.flushSoon();
  }

  // ----------------------------------------------------------------------------------------------------------- the deeds

  #do(output: Output): void {
    switch (output.kind) {
      case "askToken":
        void this.#askToken();
        break;
      case "dial": {
        const url = withQuery(output.url, output.alias, output.resume, output.token);
        this.#socket = new CoordinatorSocket(this.platform, url, (event) => this.feed(event));
        break;
      }
      case "hangUp":
        this.#socket?.hangUp();
        break;
      case "sendSignal":
        this.#socket?.send(output.frame);
        break;
      case "answerOffer":
        this.#links.answer(output.link, output.sdp, output.iceServers);
        break;
      case "addCandidate":
        this.#links.addCandidate(output.link, output.candidate);
        break;
      case "closeLink":
        this.#links.close(output.link);
        break;
      case "sendPacket":
        if (this.#links.send(output.link, output.data, output.reliable) === undefined) this.stats.bytesSent += output.data.length;
        break;
      case "flushReliable":
        this.sender.flushReliable();
        break;
      case "moved":
        this.flushSoon();
        this.#room();
        break;
      case "compress":
        void this.#compress(output.link, output.data);
        break;
      case "stateChanged":
        this.#changed(output.state, output.cause);
        break;
      case "settled":
        this.settled.serve((version) => version <= this.subscriptions.settledVersion, undefined);
        break;
      case "pingEchoed":
        this.pings.serve((number) => number === output.number, output.seconds);
        break;
      case "refused":
        this.errorListeners.tell(output.error);
    }
  }

  async #askToken(): Promise<void> {
    if (typeof this.token !== "function") return; // the session does not ask then
    const asked = askToken(this.token, this.options.tokenTimeout, this.platform);
    const answer = await asked.catch((error: Error) => error);
    if (typeof answer === "string") this.feed({ kind: "token", token: answer });
    else if (answer instanceof NoToken && this.session.state === "connecting")
      this.connected.fail(() => new TypeError(`the token function is wrong: ${answer.message}`));
    else this.feed({ kind: "tokenFailed", reason: answer.message || String(answer) });
  }

  async #compress(link: number, data: Uint8Array): Promise<void> {
    const gzipped = await this.platform.gzip(data).catch(() => null);
    this.feed({ kind: "compressed", link, data: gzipped });
  }

  #changed(state: ClientState, cause: RtcBrokerError | undefined): void {
    if (state === "connected") {
      this.connected.serve(() => true, undefined);
      this.#room();
    } else {
      this.sender.drop();
      this.pings.fail(() => new NotConnected("ping"));
    }
    if (state === "closed") this.#end(cause);
    if (cause) this.stateListeners.tell(state, cause);
    else this.stateListeners.tell(state);
  }

  #end(cause: RtcBrokerError | undefined): void {
    this.#cause = cause;
    this.#unwatch?.();
    this.connected.fail(() => cause ?? this.closedError());
    this.settled.fail(() => this.closedError());
    this.sender.fail(() => this.closedError());
    if (cause) this.endListeners.tell(this.closedError());
    else this.endListeners.tell();
  }

  // ------------------------------------------------------------------------------------------------------- start and end

  /** Connect; `connected` tells when. */
  start(): void {
    this.#unwatch = this.platform.watch({
      networkChanged: (online) => this.feed({ kind: "networkChanged", online }),
      gone: () => this.feed({ kind: "stop" }),
    });
    this.feed({ kind: "start" });
  }

  /** What to throw where the client is closed. */
  closedError(): ClientClosed {
    return new ClientClosed(this.#cause?.code, this.#cause?.reason);
  }
}
