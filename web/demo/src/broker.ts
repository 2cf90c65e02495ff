// What of the SDK this page uses, so that its tests need no broker.
import type { RtcBrokerError } from "rtcbroker";

export type BrokerState = "new" | "connecting" | "connected" | "reconnecting" | "closed";

export interface BrokerPacket {
  readonly topic: string;
  readonly sender: number;
  readonly body: Uint8Array;
}

export interface BrokerTopics {
  readonly topics: ReadonlySet<string>;
  update(change: { add: string[]; remove: string[] }): Promise<void>;
}

export interface Broker {
  readonly state: BrokerState;
  readonly alias: number;
  readonly server: number;
  subscribe(topics: string[], callback: (packet: BrokerPacket) => void): Promise<BrokerTopics>;
  publish(topic: string, body: Uint8Array | string, options: { reliable: boolean }): Promise<void>;
  publishNowait(topic: string, body: Uint8Array | string, options: { reliable: boolean }): boolean;
  ping(): Promise<number>;
  on(event: "state", listener: (state: BrokerState, cause?: RtcBrokerError) => void): () => void;
  close(): Promise<void>;
}
