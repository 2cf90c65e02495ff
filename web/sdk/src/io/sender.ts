// Publishing: what was published in a turn leaves together at its end, and what finds the reliable channel full waits in line for room.
import type { ClientClosed, RtcBrokerError } from "../core/errors.ts";
import type { ClientOptions } from "../core/options.ts";
import { Outbox } from "../core/outbox.ts";
import type { ServerLink } from "../core/serverLink.ts";
import type { Session } from "../core/session.ts";
import type { ClientStats } from "../core/stats.ts";
import { checkTopic } from "../core/topics.ts";
import type { Links } from "./links.ts";
import type { Platform, Timer } from "./platform.ts";

/** Packets that may wait for room, whatever their size: an application that does not await its publishes must not fill the memory. */
export const MAX_WAITING = 1_000;

// An application publishes to the same topics over and over; the grammar is looked at once.
const MAX_KNOWN_TOPICS = 4_096;

interface Waiting {
  topic: string;
  body: Uint8Array;
  identity: boolean;
  timer: Timer;
  resolve(): void;
  reject(error: Error): void;
}

/** Both outboxes of a client. Bounded by the options' buffers: over its mark a channel takes nothing. */
export class Sender {
  /** Something was sent reliably of which we do not know yet that the server has it. */
  unconfirmed = false;
  readonly #boxes = { reliable: new Outbox(true), unreliable: new Outbox(false) };
  readonly #waiting = new Set<Waiting>();
  readonly #known = new Set<string>();

  /** @param session gives the link to send on; while it is parting from that, nothing leaves reliably */
  constructor(
    readonly platform: Platform,
    readonly options: ClientOptions,
    readonly stats: ClientStats,
    readonly session: () => Pick<Session, "joined" | "isParting">,
    readonly links: Links,
  ) {}

  /** Take a packet, for `flush`; false where there is no connection or no room. Throws TopicError, MessageTooLarge. */
  offer(topic: string, body: Uint8Array, reliable: boolean, identity: boolean): boolean {
    this.#check(topic);
    return !(reliable && this.#waiting.size > 0) && this.#offer(topic, body, reliable, identity);
  }

  #offer(topic: string, body: Uint8Array, reliable: boolean, identity: boolean): boolean {
    const link = this.session().joined;
    if (link === undefined || !this.#hasRoom(link, reliable)) return false;
    this.#box(reliable).add(topic, body, identity, link.maxMessageBytes);
    return true;
  }

  /**
   * Put a reliable packet in line; resolves when it was taken. Rejects with `late(seconds)` when it was not within
   * `options.publishTimeout`, and with `late(0, why)` at once where too many wait already.
   */
  wait(
    topic: string,
    body: Uint8Array,
    identity: boolean,
    late: (seconds: number, why?: string) => RtcBrokerError,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.size >= MAX_WAITING) {
        this.countDrop();
        reject(late(0, `not taken, ${MAX_WAITING} others wait already`));
        return;
      }
      const { publishTimeout } = this.options;
      const timer = this.platform.setTimer(() => {
        this.#waiting.delete(entry);
        this.countDrop();
        reject(late(publishTimeout));
      }, publishTimeout);
      const entry: Waiting = { topic, body, identity, timer, resolve, reject };
      this.#waiting.add(entry);
    });
  }

  /** Count a packet that was not taken, by what there was none of. */
  countDrop(): void {
    this.stats.dropped[this.session().joined ? "send_buffer" : "not_connected"] += 1;
  }

  /** Send what was offered; what there is no connection for any more is dropped and counted. */
  flush(): void {
    const { joined, isParting } = this.session();
    if (joined === undefined) {
      this.drop();
      return;
    }
    if (!isParting) this.#sendAll(joined, this.#boxes.reliable);
    this.#sendAll(joined, this.#boxes.unreliable);
  }

  /** Send what was offered on the reliable channel, though nothing may follow it. */
  flushReliable(): void {
    const { joined } = this.session();
    if (joined) this.#sendAll(joined, this.#boxes.reliable);
  }

  #sendAll(link: ServerLink, box: Outbox): void {
    for (const { data, packets } of box.drain(link.batched, link.maxMessageBytes)) {
      const unsent = this.links.send(link.number, data, box.reliable);
      if (unsent) {
        this.stats.dropped[unsent] += packets;
      } else {
        this.stats.sent += packets;
        this.stats.bytesSent += data.length;
        this.unconfirmed ||= box.reliable;
      }
    }
  }

  /** The connection is lost, and with it what had not left. What waits in line waits on. */
  drop(): void {
    this.stats.dropped.not_connected += this.#boxes.reliable.clear() + this.#boxes.unreliable.clear();
    this.unconfirmed = false;
  }

  /** There may be room: take what waits in line, as far as it goes. Whether anything was taken, and `flush` is due. */
  hasRoom(): boolean {
    let taken = false;
    for (const entry of this.#waiting) {
      try {
        if (!this.#offer(entry.topic, entry.body, true, entry.identity)) break;
        taken = true;
        entry.resolve();
      } catch (error) {
        entry.reject(error as Error); // too large for this server
      }
      this.#forget(entry);
    }
    return taken;
  }

  /** End everyone's wait. */
  fail(error: () => ClientClosed): void {
    for (const entry of this.#waiting) {
      this.#forget(entry);
      entry.reject(error());
    }
  }

  #forget(entry: Waiting): void {
    this.#waiting.delete(entry);
    this.platform.clearTimer(entry.timer);
  }

  #box(reliable: boolean): Outbox {
    return reliable ? this.#boxes.reliable : this.#boxes.unreliable;
  }

  #hasRoom(link: ServerLink, reliable: boolean): boolean {
    const mark = reliable ? this.options.reliableBuffer : this.options.unreliableBuffer;
    return this.#box(reliable).pendingBytes + this.links.buffered(link.number, reliable) <= mark;
  }

  #check(topic: string): void {
    if (this.#known.has(topic)) return;
    checkTopic(topic);
    if (this.#known.size >= MAX_KNOWN_TOPICS) this.#known.clear();
    this.#known.add(topic);
  }
}
