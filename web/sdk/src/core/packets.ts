// Packets on data channels: decode each once, early; encode each kind a client sends.
import {
  AuthMessage,
  Capability,
  CloseMessage,
  ErrorMessage,
  Format,
  MessageHeader,
  MessageType,
  MoveMessage,
  PingMessage,
  ReadyMessage,
  Role,
  SubscribedMessage,
  SubscriptionMessage,
  SyncMessage,
  TopicBatchMessage,
  TopicFWMessage,
  TopicIdentityFWMessage,
  TopicIdentityMessage,
  TopicMessage,
} from "../gen/broker.ts";

/** Bytes that are not the message they should be. */
export class DecodeError extends Error {}

/** What a server sends to a client. */
export type ServerPacket =
  | { kind: "ping"; message: PingMessage }
  | { kind: "single"; message: TopicFWMessage | TopicIdentityFWMessage }
  | { kind: "error"; message: ErrorMessage }
  | { kind: "ready"; message: ReadyMessage }
  | { kind: "batch"; message: TopicBatchMessage }
  | { kind: "subscribed"; message: SubscribedMessage }
  | { kind: "close"; message: CloseMessage }
  | { kind: "move"; message: MoveMessage }
  | { kind: "synced"; message: SyncMessage };

// What is above and unknown is a newer peer's; what is below and not handled does not come from a server.
const FIRST_UNKNOWN_TYPE = 113;

/** Parse protobuf bytes, with our own error. Throws DecodeError. */
export function parse<T>(codec: { decode(data: Uint8Array): T }, data: Uint8Array): T {
  try {
    return codec.decode(data);
  } catch (error) {
    throw new DecodeError(String(error));
  }
}

/** Decode one data channel message; undefined for a type this version does not know (a newer server's, to be skipped). Throws DecodeError. */
export function decodePacket(data: Uint8Array): ServerPacket | undefined {
  const type = packetType(data);
  switch (type) {
    case MessageType.TOPIC_BATCH:
      return { kind: "batch", message: parse(TopicBatchMessage, data) };
    case MessageType.TOPIC_FW:
      return { kind: "single", message: parse(TopicFWMessage, data) };
    case MessageType.TOPIC_IDENTITY_FW:
      return { kind: "single", message: parse(TopicIdentityFWMessage, data) };
    case MessageType.PING:
      return { kind: "ping", message: parse(PingMessage, data) };
    case MessageType.ERROR:
      return { kind: "error", message: parse(ErrorMessage, data) };
    case MessageType.READY:
      return { kind: "ready", message: parse(ReadyMessage, data) };
    case MessageType.SUBSCRIBED:
      return { kind: "subscribed", message: parse(SubscribedMessage, data) };
    case MessageType.CLOSE:
      return { kind: "close", message: parse(CloseMessage, data) };
    case MessageType.MOVE:
      return { kind: "move", message: parse(MoveMessage, data) };
    case MessageType.SYNCED:
      return { kind: "synced", message: parse(SyncMessage, data) };
  }
  if (type >= FIRST_UNKNOWN_TYPE) return undefined;
  throw new DecodeError(`message type ${type} does not belong on a client's data channel`);
}

function packetType(data: Uint8Array): number {
  // Field 1, varint: every encoder writes it first, since field 1 is the lowest.
  const [tag, value] = data;
  return tag === 8 && value !== undefined && value < 0x80 ? value : parse(MessageHeader, data).type;
}

/** PING; the other side echoes it byte for byte. */
export function ping(time: number): Uint8Array {
  return PingMessage.encode({ type: MessageType.PING, time }).finish();
}

/** SYNC: tell me when all that I have sent before has taken effect everywhere. */
export function sync(number: number): Uint8Array {
  return SyncMessage.encode({ type: MessageType.SYNC, number }).finish();
}

const CAPABILITIES = [Capability.BATCH, Capability.SUBSCRIBE_ACK, Capability.ERRORS, Capability.MOVES];

/** AUTH: the first message on a link. */
export function auth(token: Uint8Array): Uint8Array {
  return AuthMessage.encode({ type: MessageType.AUTH, role: Role.CLIENT, body: token, capabilities: CAPABILITIES }).finish();
}

const NOBODY = new Uint8Array();

/** TOPIC, or TOPIC_IDENTITY, as a client publishes it. */
export function topic(name: string, body: Uint8Array, identity: boolean): Uint8Array {
  const packet = { fromAlias: 0, topic: name, body };
  if (!identity) return TopicMessage.encode({ type: MessageType.TOPIC, ...packet }).finish();
  const unknown = { identity: NOBODY, role: Role.UNKNOWN_ROLE };
  return TopicIdentityMessage.encode({ type: MessageType.TOPIC_IDENTITY, ...packet, ...unknown }).finish();
}

/** Packets of one topic in a batch. */
export interface Group {
  topic: string;
  identity: boolean;
  body: Uint8Array[];
}

/** TOPIC_BATCH, as a client publishes it: the server knows the sender. */
export function batch(groups: readonly Group[]): Uint8Array {
  const filled = groups.map((group) => ({ ...group, fromAlias: [], senders: [], origin: 0, serial: 0 }));
  return TopicBatchMessage.encode({ type: MessageType.TOPIC_BATCH, groups: filled }).finish();
}

/** SUBSCRIPTION with the whole set, as text or gzipped. */
export function subscription(version: number, topics: Uint8Array, gzipped: boolean): Uint8Array {
  const format = gzipped ? Format.GZIP : Format.PLAIN;
  return SubscriptionMessage.encode({ type: MessageType.SUBSCRIPTION, format, topics, version }).finish();
}
