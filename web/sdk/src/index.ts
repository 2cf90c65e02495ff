// The browser client of an rtcbroker cluster.
export type {
  Body,
  Client,
  ConnectOptions,
  ErrorListener,
  PacketCallback,
  PublishOptions,
  StateListener,
  SubscribeOptions,
  Subscription,
  Token,
} from "./api.ts";
export { connect } from "./client.ts";
export * from "./core/errors.ts";
export type { ClientOptions, IceServer } from "./core/options.ts";
export { Packet, type SenderRole } from "./core/packet.ts";
export type { ClientState } from "./core/states.ts";
export type { ClientStats, DropReason } from "./core/stats.ts";
export { Code, type Retry } from "./gen/constants.ts";
