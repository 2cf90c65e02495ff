/** What the coordinator tells a dashboard: one hello, then a state about once a second. Aliases are names, so they are strings. */

export interface Traffic {
  packets_in: number;
  packets_out: number;
  bytes_in: number;
  bytes_out: number;
}

export interface Relayed extends Traffic {
  records: number;
  deliveries: number;
}

/** One second of one server. Rates are per second. */
export interface Point extends Traffic {
  /** Seconds since the epoch. */
  time: number;
  clients: number;
  drops: number;
  p50_ms: number | null;
  p99_ms: number | null;
  /** Share of one core. */
  cpu: number;
}

export const LOG_KINDS = [
  "joined",
  "left",
  "refused",
  "server-joined",
  "server-left",
  "link-up",
  "link-down",
  "state",
  "operator",
  "lost-events",
] as const;
export type LogKind = (typeof LOG_KINDS)[number];

export interface LogEntry {
  id: number;
  /** Seconds since the epoch. */
  time: number;
  kind: LogKind;
  server?: string;
  alias?: string;
  text: string;
}

/** One of the peer-to-peer protocols, since the start of the coordinator. */
export interface PeerToPeerNow {
  protocol: string;
  rooms: number;
  members: number;
  messages: number;
  errors: number;
}

export interface CoordinatorNow {
  version: string;
  uptime_s: number;
  clients: number;
  servers: number;
  joins: number;
  refusals: number;
  cpu: number | null;
  memory_bytes: number;
  /** Those that are switched on; an older coordinator has none. */
  p2p?: PeerToPeerNow[];
}

export const SERVER_STATES = ["ready", "linking", "full", "draining", "stale", "silent"] as const;
export type ServerState = (typeof SERVER_STATES)[number];

export interface Drop {
  reason: string;
  count: number;
  /** Per second. */
  rate: number;
}

export interface LinkRate {
  alias: string;
  /** Bytes per second. */
  bytes_in: number;
  bytes_out: number;
}

export interface ServerNow {
  alias: string;
  role: "server" | "hub";
  state: ServerState;
  version: string;
  uptime_s: number;
  clients: number;
  max_clients: number;
  topics: number;
  subscriptions: number;
  totals: Relayed;
  /** Per second. */
  rates: Relayed;
  drops: Drop[];
  latency_ms: { p50: number; p99: number } | null;
  /** Share of one core. */
  cpu: number;
  memory_bytes: number;
  links: LinkRate[];
  /** Seconds since its last report. */
  age_s: number;
}

export interface TopicNow {
  topic: string;
  subscribers: number;
  records_per_s: number;
  deliveries_per_s: number;
}

export interface Hello {
  type: "hello";
  version: string;
  /** Seconds since the epoch. */
  cluster_started: number;
  /** Whether a token was asked for. */
  auth: boolean;
  /** The last minutes, by alias. */
  history: Record<string, Point[]>;
  log: LogEntry[];
  /** Seconds between two states. */
  interval_s: number;
}

export interface StateFrame {
  type: "state";
  /** Seconds since the epoch. */
  time: number;
  coordinator: CoordinatorNow;
  servers: ServerNow[];
  topics: TopicNow[];
  /** New since the frame before. */
  log: LogEntry[];
}

export type Frame = Hello | StateFrame;

/**
 * A frame as it came, or null for one this page does not know: a newer coordinator may send kinds an open page has never heard of.
 * What lies inside a frame of a known kind is the coordinator's word and is taken for it.
 */
export function parseFrame(text: unknown): Frame | null {
  if (typeof text !== "string") {
    return null;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || !("type" in value)) {
    return null;
  }
  return value.type === "hello" || value.type === "state" ? (value as Frame) : null;
}
