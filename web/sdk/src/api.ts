// What an application sees: the client and its subscriptions.
import type { RtcBrokerError } from "./core/errors.ts";
import type { ClientOptions } from "./core/options.ts";
import type { Packet } from "./core/packet.ts";
import type { ClientState } from "./core/states.ts";
import type { ClientStats } from "./core/stats.ts";

/**
 * A JWT, or a function, plain or async, that comes up with one: asked when the client connects, before the token expires, when it was refused
 * or revoked. One that fails is asked again after a pause (TokenUnavailable); one that gives no text, or an empty one, is a mistake (TypeError).
 */
export type Token = string | (() => string | Promise<string>);

/** What may be published; a text as UTF-8. */
export type Body = Uint8Array | ArrayBuffer | string;

export interface ConnectOptions {
  /** None suits a cluster that runs with `--auth none`. */
  token?: Token | undefined;
  options?: Partial<ClientOptions> | undefined;
}

export interface PublishOptions {
  /** Reliable (the default) arrives, and in order; unreliable may be lost, and never waits. */
  reliable?: boolean;
  /** Receivers learn the subject and role of this client's token, as the server verified them. */
  identity?: boolean;
}

export interface SubscribeOptions {
  /** Keep the topics that are allowed where others are refused (`subscription.refused`), instead of rejecting. */
  partial?: boolean;
  /** Without a callback: how many packets wait for a reader that is busy; beyond that the oldest are dropped. 1,000 by default. */
  queue?: number;
}

export type PacketCallback = (packet: Packet) => void;
export type StateListener = (state: ClientState, cause?: RtcBrokerError) => void;
export type ErrorListener = (error: RtcBrokerError) => void;

/**
 * A client of a cluster, from its connection to its close; `connect()` makes it. A lost connection is made again by itself, to another
 * server where need be, and what was subscribed is subscribed again; `state` and `on("state", ...)` tell.
 */
export interface Client {
  /** Where this client is in its life. */
  readonly state: ClientState;
  /** This client's alias, as others see it in `packet.sender`; 0 before it has one. Usually kept over reconnects. */
  readonly alias: number;
  /** Alias of the comm server this client is joined to; 0 while it is not. */
  readonly server: number;
  /** Counters over the whole life of the client. */
  readonly stats: Readonly<ClientStats>;

  /**
   * Subscribe to one topic or several; resolves when the server has acknowledged them. `callback` is called with each packet as it
   * arrives; without one, the subscription is read with `for await (const packet of subscription)`.
   *
   * Rejects with SubscriptionRefused where the server refuses any topic (unless `partial`), NotConnected or RequestTimeout after
   * `options.subscribeTimeout`, TopicError, ClientClosed; TypeError, as everything here, for an argument that is none, naming it.
   */
  subscribe(topics: string | Iterable<string>, callback: PacketCallback, options?: SubscribeOptions): Promise<Subscription>;
  subscribe(topics: string | Iterable<string>, options?: SubscribeOptions): Promise<Subscription>;

  /**
   * Publish to everyone else who is subscribed to `topic`.
   *
   * Reliable: waits for room in the send buffer, and for a connection while there is none, for up to `options.publishTimeout`, then rejects
   * with RequestTimeout or NotConnected. What was on its way when a connection broke may be lost. Unreliable: never waits; dropped and
   * counted (`stats.dropped`) where there is no connection or no room.
   *
   * Rejects with TopicError, MessageTooLarge, ClientClosed. A refusal by the server (no grant, too many packets) is told to `on("error")`.
   */
  publish(topic: string, body: Body, options?: PublishOptions): Promise<void>;

  /** Publish without ever waiting; false, and counted, when it was dropped. Throws as `publish` rejects, but for the time-outs. */
  publishNowait(topic: string, body: Body, options?: PublishOptions): boolean;

  /** Publish a value as JSON. Throws TypeError for one that JSON has no text for. */
  publishJson(topic: string, value: unknown, options?: PublishOptions): Promise<void>;

  /** Seconds to the comm server and back, by the reliable channel. Rejects with NotConnected, RequestTimeout, ClientClosed. */
  ping(): Promise<number>;

  /** Call `listener` with each new state and, where there is one, its cause. Returns a function that ends this. */
  on(event: "state", listener: StateListener): () => void;
  /**
   * Call `listener` with what was refused while the connection lived on: RequestRefused (a packet, say), or SubscriptionRefused; and with
   * TokenUnavailable each time the token function failed. Returns a function that ends this.
   */
  on(event: "error", listener: ErrorListener): () => void;

  /** Leave, once the server has what was sent reliably (`options.closeTimeout` at most). Idempotent, never rejects. */
  close(): Promise<void>;
}

/**
 * Topics of one `client.subscribe(...)`. Topics may be shared with other subscriptions of the same client: each gets every packet, and a
 * topic is unsubscribed when the last of them lets go of it. Reconnects pass by unnoticed, but for what was published meanwhile.
 */
export interface Subscription extends AsyncIterable<Packet> {
  /** The topics held, refused ones included where `partial` allows for them. */
  readonly topics: ReadonlySet<string>;
  /** Those of `topics` that the server refuses, with the code. */
  readonly refused: ReadonlyMap<string, number>;
  /** Packets dropped because the queue of a reader was full. */
  readonly dropped: number;

  /**
   * Change topics, all in one message; resolves when the server has acknowledged it. Topics of `add` that are here already, and topics of
   * `remove` that are not, are passed over; a topic in both stays or comes. Rejects as `subscribe` does; refused topics of `add` are left
   * out then, unless `partial`. After NotConnected or RequestTimeout the change stands and takes effect once it can.
   */
  update(change: { add?: Iterable<string>; remove?: Iterable<string> }): Promise<void>;

  /** Unsubscribe; resolves when the server has acknowledged it, or needs not. Idempotent, never rejects. */
  close(): Promise<void>;
}
