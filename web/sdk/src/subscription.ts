// A subscription an application holds: topics in force, packets to take, a change of topics in one message.
import type { PacketCallback, SubscribeOptions, Subscription } from "./api.ts";
import { asTopics, kindOf, mustBe, mustBeKnown } from "./core/arguments.ts";
import type { Sink } from "./core/delivery.ts";
import { type ClientClosed, RtcBrokerError, SubscriptionRefused } from "./core/errors.ts";
import { Inbox } from "./core/inbox.ts";
import type { Packet } from "./core/packet.ts";
import { checkTopic } from "./core/topics.ts";
import type { Requests } from "./io/requests.ts";

const DEFAULT_QUEUE = 1_000;

/** Topics of one `client.subscribe(...)`. */
export class TopicSubscription implements Subscription {
  readonly #requests: Requests;
  readonly #topics = new Set<string>();
  readonly #partial: boolean;
  readonly #inbox: Inbox | undefined;
  readonly #sink: Sink;
  readonly #forgetEnd: () => void;
  #isOpen = true;
  #failure: ClientClosed | undefined;
  #wake: (() => void) | undefined;
  #reader: Promise<void> | undefined;

  constructor(
    requests: Requests,
    callback: PacketCallback | undefined,
    { partial = false, queue = DEFAULT_QUEUE }: SubscribeOptions,
  ) {
    const { driver } = requests;
    this.#requests = requests;
    this.#partial = partial;
    if (callback) {
      this.#sink = guarded(callback, () => driver.stats.dropped.callback++, driver.platform.report);
    } else {
      const inbox = new Inbox(queue, driver.stats, () => this.#wakeUp());
      this.#inbox = inbox;
      this.#sink = (packet) => inbox.put(packet);
    }
    this.#forgetEnd = driver.endListeners.add((failure) => {
      this.#failure = failure;
      this.#isOpen = false;
      this.#wakeUp();
    });
  }

  /** Subscribe, for the first time. */
  async open(topics: Iterable<string>): Promise<void> {
    try {
      await this.update({ add: topics });
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  async update(change: { add?: Iterable<string>; remove?: Iterable<string> }): Promise<void> {
    this.#requests.mustBeOpen();
    mustBe(kindOf(change) === "object", "change", "an object with topics to add or remove", change);
    mustBeKnown(change, "change", ["add", "remove"]);
    const { add = [], remove = [] } = change;
    if (!this.#isOpen) throw new Error("the subscription is closed");
    const wanted = new Set(asTopics(add, "add").map(checkTopic));
    const removed = [...new Set(asTopics(remove, "remove"))].filter((topic) => this.#topics.has(topic) && !wanted.has(topic));
    const news = [...wanted].filter((topic) => !this.#topics.has(topic));
    const version = this.#requests.change(news, removed, this.#sink);
    for (const topic of removed) this.#topics.delete(topic);
    for (const topic of news) this.#topics.add(topic);
    await this.#requests.settled(version, `subscribe to ${news.length} topics`);
    this.#giveBackRefused(news);
  }

  #giveBackRefused(news: string[]): void {
    if (this.#partial || !this.#isOpen) return;
    const refused = this.#requests.driver.subscriptions.refused(news.filter((topic) => this.#topics.has(topic)));
    if (refused.size === 0) return;
    this.#requests.change([], [...refused.keys()], this.#sink);
    for (const topic of refused.keys()) this.#topics.delete(topic);
    throw new SubscriptionRefused(refused);
  }

  async close(): Promise<void> {
    const version = this.#release();
    if (version === 0) return;
    await this.#requests.settled(version, "unsubscribe").catch((error: unknown) => {
      if (!(error instanceof RtcBrokerError)) throw error;
    });
  }

  /** Let go of the topics; the version to wait for, 0 where there is nothing to wait for. */
  #release(): number {
    if (!this.#isOpen) return 0;
    this.#isOpen = false;
    this.#forgetEnd();
    const version =
      this.#requests.driver.session.state === "closed" ? 0 : this.#requests.change([], [...this.#topics], this.#sink);
    this.#topics.clear();
    this.#wakeUp();
    return version;
  }

  // ------------------------------------------------------------------------------------------------------------- looking

  get topics(): ReadonlySet<string> {
    return new Set(this.#topics);
  }

  get refused(): ReadonlyMap<string, number> {
    return this.#requests.driver.subscriptions.refused(this.#topics);
  }

  get dropped(): number {
    return this.#inbox?.dropped ?? 0;
  }

  // ------------------------------------------------------------------------------------------------------------- reading

  /**
   * The packets, in order of arrival. What waits is still given after the client was closed; then this ends, or throws ClientClosed when the
   * client was told not to come back. Leaving the loop leaves the subscription open.
   */
  async *[Symbol.asyncIterator](): AsyncIterator<Packet> {
    const inbox = this.#inbox;
    if (inbox === undefined) throw new TypeError("this subscription's packets go to its callback");
    for (;;) {
      const packet = inbox.get();
      if (packet !== undefined) {
        yield packet;
      } else if (this.#isOpen) {
        this.#reader ??= new Promise((resolve) => {
          this.#wake = resolve;
        });
        await this.#reader;
      } else {
        if (this.#failure) throw this.#failure;
        return;
      }
    }
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = this.#reader = undefined;
  }
}

/** A callback of the application, kept from doing harm when it throws; the first time is reported: it may be the same with every packet. */
function guarded(callback: PacketCallback, count: () => void, report: (error: unknown) => void): Sink {
  let told = false;
  return (packet) => {
    try {
      callback(packet);
    } catch (error) {
      count();
      if (!told) report(error);
      told = true;
    }
  };
}
