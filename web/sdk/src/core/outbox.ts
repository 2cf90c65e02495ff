// Outgoing packets of one turn: one leaves as it is, several leave together as batches.
//
// A WebRTC message costs far more than a record in a batch, on both sides; so whatever is published in the same turn of the page's event
// loop shares a message. Packets of a channel keep their order, over topics too: a group is a run of packets of one topic, and the next
// topic begins the next group, even when that topic had a group before.
import { MAX_BATCH_RECORDS, UNRELIABLE_BATCH_BYTES } from "../gen/constants.ts";
import { MessageTooLarge } from "./errors.ts";
import { batch, type Group, topic } from "./packets.ts";
import { encodeText } from "./text.ts";

/** Bytes around topic and body in a TOPIC or TOPIC_IDENTITY, at most: type, two tags, two lengths. */
const PACKET_OVERHEAD = 16;
/** Bytes around a group's topic and its records, at most. */
const GROUP_OVERHEAD = 16;
/** Bytes around a body in a group, at most: tag and length. */
const RECORD_OVERHEAD = 5;
/** A batch's type. */
const BATCH_HEADER = 2;

/** One message to be sent, and how many packets it holds. */
export interface OutMessage {
  data: Uint8Array;
  packets: number;
}

interface OutPacket {
  topic: string;
  body: Uint8Array;
  identity: boolean;
  topicSize: number;
}

/** What was published on one channel and has not left yet. Its caller bounds it, by `pendingBytes`. */
export class Outbox {
  pendingBytes = 0;
  #packets: OutPacket[] = [];

  constructor(readonly reliable: boolean) {}

  get length(): number {
    return this.#packets.length;
  }

  /** Add a packet. Throws MessageTooLarge when it could not be sent in a message of `limit` bytes. */
  add(name: string, body: Uint8Array, identity: boolean, limit: number): void {
    const topicSize = encodeText(name).length;
    const size = body.length + topicSize;
    if (size + PACKET_OVERHEAD > limit) throw new MessageTooLarge(size + PACKET_OVERHEAD, limit, "packet");
    this.#packets.push({ topic: name, body, identity, topicSize });
    this.pendingBytes += size;
  }

  /** Forget what has not left. Returns how many packets that was. */
  clear(): number {
    return this.#take().length;
  }

  /** Everything, in messages of at most `limit` bytes; `batched` if the server takes batches. */
  drain(batched: boolean, limit: number): OutMessage[] {
    const pending = this.#take();
    const most = batched ? MAX_BATCH_RECORDS : 1;
    const room = this.reliable ? limit : Math.min(limit, UNRELIABLE_BATCH_BYTES);
    const messages: OutMessage[] = [];
    let part: OutPacket[] = [];
    let size = BATCH_HEADER;
    for (const packet of pending) {
      let cost = packet.body.length + RECORD_OVERHEAD;
      const group = packet.topicSize + GROUP_OVERHEAD;
      const last = part.at(-1);
      if (last === undefined || !shareGroup(last, packet)) cost += group;
      if (part.length > 0 && (size + cost > room || part.length >= most)) {
        messages.push(together(part));
        part = [];
        size = BATCH_HEADER;
        cost = packet.body.length + RECORD_OVERHEAD + group;
      }
      part.push(packet);
      size += cost;
    }
    if (part.length > 0) messages.push(together(part));
    return messages;
  }

  #take(): OutPacket[] {
    const pending = this.#packets;
    this.#packets = [];
    this.pendingBytes = 0;
    return pending;
  }
}

function shareGroup(a: OutPacket, b: OutPacket): boolean {
  return a.topic === b.topic && a.identity === b.identity;
}

function together(part: OutPacket[]): OutMessage {
  const [first, ...others] = part;
  if (first !== undefined && others.length === 0) return { data: topic(first.topic, first.body, first.identity), packets: 1 };
  const groups: Group[] = [];
  let last: OutPacket | undefined;
  for (const packet of part) {
    if (last !== undefined && shareGroup(last, packet)) groups.at(-1)?.body.push(packet.body);
    else groups.push({ topic: packet.topic, identity: packet.identity, body: [packet.body] });
    last = packet;
  }
  return { data: batch(groups), packets: part.length };
}
