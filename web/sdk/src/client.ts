// The client an application holds: connect, subscribe, publish, and look at how it goes.
import type {
  Body,
  Client,
  ConnectOptions,
  ErrorListener,
  PacketCallback,
  PublishOptions,
  StateListener,
  SubscribeOptions,
  Subscription,
} from "./api.ts";
import { asOptions, asTopics, kindOf, mustBe } from "./core/arguments.ts";
import { makeOptions } from "./core/options.ts";
import type { ClientState } from "./core/states.ts";
import type { ClientStats } from "./core/stats.ts";
import { encodeText } from "./core/text.ts";
import { Driver } from "./io/driver.ts";
import { browserPlatform, type Platform } from "./io/platform.ts";
import { Requests } from "./io/requests.ts";
import { connectUrls } from "./io/url.ts";
import { TopicSubscription } from "./subscription.ts";

/** A client with everything around it passed in. */
export async function connectOn(
  platform: Platform,
  url: string | readonly string[],
  connectOptions: ConnectOptions,
  page?: string,
): Promise<Client> {
  const { token, options } = asOptions(connectOptions, ["token", "options"]);
  mustBe(token == null || typeof token === "string" || typeof token === "function", "token", "a text or a function", token);
  const driver = new Driver(platform, connectUrls(url, page), token, makeOptions(options));
  const requests = new Requests(driver);
  await requests.connect();
  return new BrowserClient(requests);
}

const PUBLISH_OPTIONS = ["reliable", "identity"] as const;

let platform: Platform | undefined;

/**
 * Connect to the cluster behind `url`: its coordinator's `ws://host:9090`, `wss://...` or `https://...`; "" or nothing is the page's own
 * origin. Several coordinators of one cluster stand in a list, or are separated by commas: the first dial goes to any of them, each further
 * one to the next. Goes on trying, at one server after another, for `options.connectTimeout`.
 *
 * Rejects with AuthError when the token is refused, ConnectError when time is up or the cluster says not to come back, TypeError or RangeError
 * for a URL, a token or an option that cannot work.
 */
export async function connect(url: string | readonly string[] = "", options: ConnectOptions = {}): Promise<Client> {
  platform ??= browserPlatform();
  return connectOn(platform, url, options, globalThis.location?.href);
}

class BrowserClient implements Client {
  readonly #requests: Requests;
  readonly #driver: Driver;

  constructor(requests: Requests) {
    this.#requests = requests;
    this.#driver = requests.driver;
  }

  get state(): ClientState {
    return this.#driver.session.state;
  }

  get alias(): number {
    return this.#driver.session.alias;
  }

  get server(): number {
    return this.#driver.session.joined?.server ?? 0;
  }

  get stats(): Readonly<ClientStats> {
    return this.#driver.stats;
  }

  async subscribe(
    topics: string | Iterable<string>,
    callback?: PacketCallback | SubscribeOptions,
    options?: SubscribeOptions,
  ): Promise<Subscription> {
    this.#requests.mustBeOpen();
    const wanted = asTopics(topics, "topics");
    const given = typeof callback === "function" ? callback : undefined;
    mustBe(
      given !== undefined || callback == null || kindOf(callback) === "object",
      "callback",
      "a function, or options",
      callback,
    );
    const how = asOptions(given || callback == null ? options : (callback as SubscribeOptions), ["partial", "queue"]);
    const subscription = new TopicSubscription(this.#requests, given, how);
    await subscription.open(wanted);
    return subscription;
  }

  async publish(topic: string, body: Body, options: PublishOptions = {}): Promise<void> {
    const { reliable = true, identity = false } = asOptions(options, PUBLISH_OPTIONS);
    const data = asBytes(body);
    if (this.#requests.offer(topic, data, reliable, identity)) return;
    if (reliable) await this.#requests.offerPatiently(topic, data, identity);
    else this.#driver.sender.countDrop();
  }

  publishNowait(topic: string, body: Body, options: PublishOptions = {}): boolean {
    const { reliable = true, identity = false } = asOptions(options, PUBLISH_OPTIONS);
    const taken = this.#requests.offer(topic, asBytes(body), reliable, identity);
    if (!taken) this.#driver.sender.countDrop();
    return taken;
  }

  async publishJson(topic: string, value: unknown, options: PublishOptions = {}): Promise<void> {
    const text: string | undefined = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`value: ${typeof value} has no JSON`);
    await this.publish(topic, text, options);
  }

  ping(): Promise<number> {
    return this.#requests.ping(this.#driver.options.linkTimeout);
  }

  on(event: "state", listener: StateListener): () => void;
  on(event: "error", listener: ErrorListener): () => void;
  on(event: "state" | "error", listener: StateListener | ErrorListener): () => void {
    mustBe(typeof listener === "function", "listener", "a function", listener);
    if (event === "state") return this.#driver.stateListeners.add(listener as StateListener);
    if (event === "error") return this.#driver.errorListeners.add(listener as ErrorListener);
    throw new TypeError(`event: there is no ${JSON.stringify(event)}; there are "state" and "error"`);
  }

  close(): Promise<void> {
    return this.#requests.close();
  }
}

/** A body as it is sent: bytes are copied, since it may leave later and its owner may reuse them. */
function asBytes(body: Body): Uint8Array {
  if (typeof body === "string") return encodeText(body);
  if (body instanceof Uint8Array) return body.slice();
  if (body instanceof ArrayBuffer) return new Uint8Array(body.slice(0));
  throw new TypeError(`body: a Uint8Array, an ArrayBuffer or a text, not ${kindOf(body)}`);
}
