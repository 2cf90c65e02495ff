/** Frames for tests: a cluster as a coordinator would tell it. */

import type { Hello, LogEntry, Point, ServerNow, StateFrame } from "../src/frames.ts";

export function server(alias: string, more: Partial<ServerNow> = {}): ServerNow {
  const none = { packets_in: 0, packets_out: 0, bytes_in: 0, bytes_out: 0, records: 0, deliveries: 0 };
  return {
    alias,
    role: "server",
    state: "ready",
    version: "1.0",
    uptime_s: 60,
    clients: 0,
    max_clients: 0,
    topics: 0,
    subscriptions: 0,
    totals: none,
    rates: none,
    drops: [],
    latency_ms: null,
    cpu: 0,
    memory_bytes: 0,
    links: [],
    age_s: 0,
    ...more,
  };
}

export function frame(time: number, servers: ServerNow[], more: Partial<StateFrame> = {}): StateFrame {
  const coordinator = {
    version: "1.0",
    uptime_s: 60,
    clients: 0,
    servers: servers.length,
    joins: 0,
    refusals: 0,
    cpu: null,
    memory_bytes: 0,
  };
  return { type: "state", time, coordinator, servers, topics: [], log: [], ...more };
}

export function hello(more: Partial<Hello> = {}): Hello {
  return { type: "hello", version: "1.0", cluster_started: 0, auth: false, history: {}, log: [], interval_s: 1, ...more };
}

export function point(time: number, more: Partial<Point> = {}): Point {
  return {
    time,
    clients: 0,
    packets_in: 0,
    packets_out: 0,
    bytes_in: 0,
    bytes_out: 0,
    drops: 0,
    p50_ms: null,
    p99_ms: null,
    cpu: 0,
    ...more,
  };
}

export function line(id: number, more: Partial<LogEntry> = {}): LogEntry {
  return { id, time: id, kind: "joined", text: `line ${id}`, ...more };
}
