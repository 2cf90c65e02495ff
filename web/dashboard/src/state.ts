/**
 * What the page knows of the cluster: a fold of the frames, with no DOM and no clock in it.
 *
 * Every step makes a new state that shares what did not change, and everything in it is bounded: {@link SPAN_S} of points for each
 * living server, {@link MAX_LOG} lines.
 */

import type { CoordinatorNow, Frame, Hello, LogEntry, Point, ServerNow, StateFrame, TopicNow } from "./frames.ts";

/** Seconds of history that are kept and drawn. */
export const SPAN_S = 60;
export const MAX_LOG = 500;

export interface ClusterState {
  /** Of the first hello: a coordinator that comes back with another one brings another page. */
  version: string;
  /** There is a newer page to load. */
  outdated: boolean;
  auth: boolean;
  interval_s: number;
  /** Of the newest state frame, in seconds since the epoch; 0 before the first. */
  time: number;
  coordinator: CoordinatorNow | null;
  servers: readonly ServerNow[];
  topics: readonly TopicNow[];
  /** By alias, oldest first. */
  history: ReadonlyMap<string, readonly Point[]>;
  /** All servers together, oldest first. */
  cluster: readonly Point[];
  /** Newest first. */
  log: readonly LogEntry[];
}

export const EMPTY: ClusterState = {
  version: "",
  outdated: false,
  auth: false,
  interval_s: 1,
  time: 0,
  coordinator: null,
  servers: [],
  topics: [],
  history: new Map(),
  cluster: [],
  log: [],
};

/** The state after one frame more. */
export function reduce(state: ClusterState, frame: Frame): ClusterState {
  return frame.type === "hello" ? greeted(state, frame) : told(state, frame);
}

function greeted(state: ClusterState, hello: Hello): ClusterState {
  const history = new Map(Object.entries(hello.history));
  return {
    ...state,
    version: state.version || hello.version,
    outdated: state.outdated || (state.version !== "" && state.version !== hello.version),
    auth: hello.auth,
    interval_s: hello.interval_s > 0 ? hello.interval_s : 1,
    history,
    cluster: together(history),
    // The coordinator's own memory, which begins anew when it restarts: so do the ids.
    log: newestFirst(hello.log).slice(0, MAX_LOG),
  };
}

function told(state: ClusterState, frame: StateFrame): ClusterState {
  const oldest = frame.time - SPAN_S;
  const history = new Map<string, readonly Point[]>();
  for (const server of frame.servers) {
    history.set(server.alias, appended(state.history.get(server.alias) ?? [], pointOf(server, frame.time), oldest));
  }
  return {
    ...state,
    time: frame.time,
    coordinator: frame.coordinator,
    servers: frame.servers,
    topics: frame.topics,
    history,
    cluster: appended(state.cluster, sumOf(frame), oldest),
    log: joined(state.log, frame.log),
  };
}

/** New lines before the old; a line that was in the hello already is not repeated. */
function joined(log: readonly LogEntry[], news: readonly LogEntry[]): readonly LogEntry[] {
  const last = log[0]?.id ?? -1;
  const fresh = news.filter((entry) => entry.id > last);
  return fresh.length === 0 ? log : [...newestFirst(fresh), ...log].slice(0, MAX_LOG);
}

function newestFirst(log: readonly LogEntry[]): LogEntry[] {
  return [...log].sort((one, other) => other.id - one.id);
}

function appended(points: readonly Point[], point: Point, oldest: number): readonly Point[] {
  return [...points.filter((old) => old.time >= oldest && old.time < point.time), point];
}

function pointOf(server: ServerNow, time: number): Point {
  return {
    time,
    clients: server.clients,
    packets_in: server.rates.packets_in,
    packets_out: server.rates.packets_out,
    bytes_in: server.rates.bytes_in,
    bytes_out: server.rates.bytes_out,
    drops: dropRate(server),
    p50_ms: server.latency_ms?.p50 ?? null,
    p99_ms: server.latency_ms?.p99 ?? null,
    cpu: server.cpu,
  };
}

function sumOf(frame: StateFrame): Point {
  return frame.servers.map((server) => pointOf(server, frame.time)).reduce(added, nothing(frame.time));
}

/** Rates add up; of latencies the worst is told, since percentiles do not add up. */
function added(one: Point, other: Point): Point {
  return {
    time: one.time,
    clients: one.clients + other.clients,
    packets_in: one.packets_in + other.packets_in,
    packets_out: one.packets_out + other.packets_out,
    bytes_in: one.bytes_in + other.bytes_in,
    bytes_out: one.bytes_out + other.bytes_out,
    drops: one.drops + other.drops,
    p50_ms: worst(one.p50_ms, other.p50_ms),
    p99_ms: worst(one.p99_ms, other.p99_ms),
    cpu: one.cpu + other.cpu,
  };
}

function nothing(time: number): Point {
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
  };
}

function worst(one: number | null, other: number | null): number | null {
  return one === null ? other : other === null ? one : Math.max(one, other);
}

/** The cluster's history from its servers': points of the same second belong together. */
function together(history: ReadonlyMap<string, readonly Point[]>): readonly Point[] {
  const seconds = new Map<number, Point>();
  for (const points of history.values()) {
    for (const point of points) {
      const second = Math.round(point.time);
      seconds.set(second, added(seconds.get(second) ?? nothing(second), point));
    }
  }
  return [...seconds.values()].sort((one, other) => one.time - other.time);
}

/** Packets a server drops in a second, for whatever reason. */
export function dropRate(server: ServerNow): number {
  return server.drops.reduce((sum, drop) => sum + drop.rate, 0);
}

/** Packets a server has dropped since it started. */
export function dropCount(server: ServerNow): number {
  return server.drops.reduce((sum, drop) => sum + drop.count, 0);
}
