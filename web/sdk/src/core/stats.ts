// What a client counts.

/**
 * Why packets are dropped; the keys of `ClientStats.dropped`.
 *
 * Outgoing: `not_connected` (there was no connection, or none any more, or none in time), `send_buffer` (the channel's send buffer was over
 * its mark, and stayed so for as long as `publish` waits), `too_large` (larger than the server's session description allows, though not than the limits it told).
 * Incoming: `queue` (the oldest of a full queue), `not_subscribed` (on its way when its topic was unsubscribed), `undecodable` (a message
 * that is none), `callback` (a subscription's callback threw).
 */
export type DropReason = "not_connected" | "send_buffer" | "too_large" | "queue" | "not_subscribed" | "undecodable" | "callback";

/** Counters over the whole life of a client; they only grow. */
export interface ClientStats {
  /** Packets handed to the link. */
  sent: number;
  /** Packets of subscribed topics that arrived (once, however many subscriptions took them). */
  received: number;
  /** Bytes of data channel messages sent, of any kind. */
  bytesSent: number;
  /** Bytes of data channel messages received, of any kind. */
  bytesReceived: number;
  /** Times a comm server was joined. */
  joins: number;
  /** Times a lost connection was made again. */
  reconnects: number;
  /** Times the client went to another comm server because its own asked it to, without losing a connection. */
  moves: number;
  /** Packets dropped, by reason. */
  dropped: Record<DropReason, number>;
}

export function newStats(): ClientStats {
  const dropped = { not_connected: 0, send_buffer: 0, too_large: 0, queue: 0, not_subscribed: 0, undecodable: 0, callback: 0 };
  return { sent: 0, received: 0, bytesSent: 0, bytesReceived: 0, joins: 0, reconnects: 0, moves: 0, dropped };
}
