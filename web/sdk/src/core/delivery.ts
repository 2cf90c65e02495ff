// Incoming packets, from the messages they came in to whoever subscribed to their topic.
import {
  Role,
  type TopicBatchMessage,
  type TopicFWMessage,
  type TopicGroup,
  type TopicIdentityFWMessage,
} from "../gen/broker.ts";
import { Seen } from "./overlap.ts";
import { Packet, type SenderRole } from "./packet.ts";
import { DecodeError } from "./packets.ts";
import type { ClientStats } from "./stats.ts";
import { decodeText } from "./text.ts";

export type Sink = (packet: Packet) => void;

const ROLES: Readonly<Record<number, SenderRole>> = {
  [Role.CLIENT]: "CLIENT",
  [Role.COMMUNICATION_SERVER]: "COMMUNICATION_SERVER",
  [Role.COMMUNICATION_SERVER_HUB]: "COMMUNICATION_SERVER_HUB",
};

/** Who takes the packets of which topic. */
export class Delivery {
  /** The client's own alias: in a batch, which is encoded once for everyone, its own packets come back to it and are dropped. */
  alias = 0;
  readonly seen = new Seen();
  readonly #sinks = new Map<string, readonly Sink[]>();

  constructor(readonly stats: ClientStats) {}

  /** Give the packets of `topics` to `sink` too. */
  attach(topics: Iterable<string>, sink: Sink): void {
    for (const topic of topics) this.#sinks.set(topic, [...(this.#sinks.get(topic) ?? []), sink]);
  }

  /** Stop giving the packets of `topics` to `sink`. */
  detach(topics: Iterable<string>, sink: Sink): void {
    for (const topic of topics) {
      const rest = (this.#sinks.get(topic) ?? []).filter((other) => other !== sink);
      if (rest.length > 0) this.#sinks.set(topic, rest);
      else this.#sinks.delete(topic);
    }
  }

  /** Deliver a TOPIC_BATCH. Throws DecodeError at a group that is none; those before it are delivered. */
  batch(message: TopicBatchMessage, reliable: boolean): void {
    for (const group of message.groups) this.group(group, reliable);
  }

  /** Deliver one group, if it has not come by another link. Throws DecodeError. */
  group(group: TopicGroup, reliable: boolean): void {
    const { topic, fromAlias, body: bodies } = group;
    if (bodies.length === 0 || fromAlias.length !== bodies.length)
      throw new DecodeError(`a group of ${bodies.length} bodies has ${fromAlias.length} aliases`);
    if (!this.seen.isNew(group, reliable)) return;
    const sinks = this.#sinks.get(topic);
    if (sinks === undefined) {
      this.stats.dropped.not_subscribed += bodies.length;
      return;
    }
    const known = new Map(group.senders.map((sender) => [sender.alias, sender]));
    for (const [index, body] of bodies.entries()) {
      const sender = fromAlias[index] ?? 0;
      if (sender === this.alias) continue;
      const verified = known.get(sender);
      const identity = verified && decodeText(verified.identity);
      this.#give(sinks, new Packet(topic, sender, body, reliable, identity, verified && ROLES[verified.role]));
    }
  }

  /**
   * Deliver a TOPIC_FW or TOPIC_IDENTITY_FW, as old servers send them. They do not name their topic: with one topic subscribed it can only
   * be that, otherwise it may be any, so every subscription gets the packet, without a topic.
   */
  single(message: TopicFWMessage | TopicIdentityFWMessage, reliable: boolean): void {
    const [only, ...others] = this.#sinks.keys();
    const sinks = [...new Set([...this.#sinks.values()].flat())];
    if (only === undefined) {
      this.stats.dropped.not_subscribed += 1;
      return;
    }
    const verified = "identity" in message ? message : undefined;
    const identity = verified && decodeText(verified.identity);
    const topic = others.length === 0 ? only : "";
    const role = verified && ROLES[verified.role];
    this.#give(sinks, new Packet(topic, message.fromAlias, message.body, reliable, identity, role));
  }

  #give(sinks: readonly Sink[], packet: Packet): void {
    this.stats.received += 1;
    for (const sink of sinks) sink(packet);
  }
}
