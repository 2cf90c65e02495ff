// A world without network and time: servers, browsers and people in one queue of events.
import { Call } from "../../src/core/call.ts";
import type { Answer } from "../../src/core/requests.ts";
import type { State } from "../../src/core/states.ts";
import { Driver } from "../../src/io/driver.ts";
import type { Platform } from "../../src/io/platform.ts";
import { FakeConnection, FakeStream, type FakeTrack } from "./connection.ts";
import { type Asked, Collider, FakeSocket, ORIGIN, POST_URL, RoomServer } from "./servers.ts";

export const ROOM = "green-room";
export const QUERY = "?access_token=a.b.c";

interface FakeTimer {
  at: number;
  callback: () => void;
}

export class World {
  time = 1_000;
  isOnline = true;
  readonly asked: Asked[] = [];
  readonly sockets = new Set<FakeSocket>();
  readonly connections: FakeConnection[] = [];
  readonly roomServer = new RoomServer(this);
  readonly collider = new Collider(this);
  iceReply = JSON.stringify({ iceServers: [{ urls: ["stun:stun.test"] }] });
  /** Answers in the servers' place, if it has an answer. */
  intercept: (asked: Asked) => Answer | undefined = () => undefined;
  /** Session ids of connections, by the order they are made in. */
  session = (count: number): string => String(5_000 + count);
  readonly timers = new Set<FakeTimer>();
  #queue: (() => void)[] = [];

  // ---------------------------------------------------------------------------------------------------------- the servers

  answer(method: string, url: string, body: string): Answer {
    const asked = { what: method, url, body };
    const [path = ""] = url.split("?");
    if (path.startsWith(POST_URL)) {
      const [room = "", client = ""] = path.slice(POST_URL.length + 1).split("/");
      this.asked.push(asked);
      return this.intercept(asked) ?? this.#atCollider(method, room, client, body);
    }
    if (!path.startsWith(ORIGIN)) throw new Error(`nobody is at ${url}`);
    const [what = "", room = "", client = ""] = path.slice(ORIGIN.length).split("/");
    asked.what = what === "message" ? "POST" : what === "v1alpha" ? "ICE" : what.toUpperCase();
    this.asked.push(asked);
    return this.intercept(asked) ?? this.#atRoomServer(what, room, client, body);
  }

  #atCollider(method: string, room: string, client: string, body: string): Answer {
    if (method === "DELETE") this.collider.remove(room, client);
    else if (!this.collider.pass(room, client, body))
      return { status: 500, body: "Failed to send the message: Max room capacity reached\n" };
    return { status: 200, body: "OK\n" };
  }

  #atRoomServer(what: string, room: string, client: string, body: string): Answer {
    switch (what) {
      case "join":
        return { status: 200, body: JSON.stringify(this.roomServer.join(room)) };
      case "message": {
        const reply = this.roomServer.message(room, client, body);
        return reply ? { status: 200, body: JSON.stringify(reply) } : { status: 500, body: "" };
      }
      case "leave":
        this.roomServer.leave(room, client);
        return { status: 200, body: "" };
      case "v1alpha":
        return { status: 200, body: this.iceReply };
      default:
        return { status: 404, body: "" };
    }
  }

  /** As after a restart: nobody is known, all sockets are gone. */
  restart(): void {
    this.roomServer.rooms.clear();
    this.collider.rooms.clear();
    for (const socket of [...this.sockets]) socket.lose();
  }

  // ------------------------------------------------------------------------------------------------------------- the media

  /** Two that know each other are connected. */
  connect(): void {
    for (const one of this.connections) {
      for (const other of this.connections) {
        if (one !== other && !one.isClosed && !other.isClosed && one.knows(other) && other.knows(one)) one.become("connected");
      }
    }
  }

  // ------------------------------------------------------------------------------------------------------------------ time

  post(callback: () => void): void {
    this.#queue.push(callback);
  }

  /** Until nothing happens any more without time going by. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      await new Promise((resolve) => setImmediate(resolve));
      const task = this.#queue.shift();
      task?.();
      quiet = task ? 0 : quiet + 1;
    }
  }

  async advance(seconds: number): Promise<void> {
    const end = this.time + seconds;
    await this.settle();
    while (this.time < end) {
      const next = Math.min(end, ...[...this.timers].map(({ at }) => at), Math.floor(this.time) + 1);
      this.time = Math.max(this.time, next);
      this.collider.tick();
      for (const timer of [...this.timers].filter(({ at }) => at <= this.time)) {
        this.timers.delete(timer);
        timer.callback();
      }
      await this.settle();
    }
  }

  /** What was asked of this kind, since the beginning. */
  count(what: string): number {
    return this.asked.filter((asked) => asked.what === what).length;
  }
}

/** Somebody with the page open. */
export class Person implements Platform {
  readonly states: State[] = [];
  readonly tracks: FakeTrack[] = [];
  readonly reachable: boolean[] = [];
  readonly sockets: FakeSocket[] = [];
  readonly connections: FakeConnection[] = [];
  readonly driver: Driver;
  readonly call: Call;
  stream: FakeStream | undefined = new FakeStream("audio", "video");
  /** The page was killed: nothing it does happens, and nothing reaches it. */
  isGone = false;

  constructor(
    readonly world: World,
    room = ROOM,
    random = () => 0.5,
  ) {
    this.call = new Call({ base: ORIGIN, room, query: QUERY }, random);
    this.driver = new Driver(this, this.call, {
      stream: () => this.stream as unknown as MediaStream | undefined,
      stateChanged: (state) => void this.states.push(state),
      reachable: (isReachable) => void this.reachable.push(isReachable),
      track: (track) => void this.tracks.push(track as unknown as FakeTrack),
      peerClosed: () => void this.tracks.splice(0),
    });
  }

  get state(): string {
    const { name } = this.call.state;
    return this.call.state.name === "waiting" ? `waiting: ${this.call.state.why}` : name;
  }

  get connection(): FakeConnection {
    const last = this.connections.at(-1);
    if (!last) throw new Error("there is no connection");
    return last;
  }

  async enter(): Promise<this> {
    this.driver.feed({ kind: "enter" });
    await this.world.settle();
    return this;
  }

  async hangUp(): Promise<void> {
    this.driver.feed({ kind: "hangUp" });
    await this.world.settle();
  }

  /** The browser is killed: no bye, and the other notices nothing but silence. */
  async vanish(): Promise<void> {
    this.isGone = true;
    for (const socket of this.sockets) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    for (const connection of this.connections) {
      connection.onicecandidate = connection.ontrack = connection.onconnectionstatechange = null;
      connection.close();
    }
    await this.world.settle();
  }

  // -------------------------------------------------------------------------------------------------------------- platform

  async request(method: string, url: string, body: string, seconds: number): Promise<Answer> {
    if (!this.world.isOnline) return new Promise((resolve) => this.setTimer(() => resolve({ status: 0, body: "" }), seconds));
    return new Promise((resolve) => {
      this.world.post(() => {
        const answer = this.world.answer(method, url, body);
        this.world.post(() => resolve(answer));
      });
    });
  }

  webSocket(url: string): WebSocket {
    const socket = new FakeSocket(this.world, url);
    this.sockets.push(socket);
    return socket as unknown as WebSocket;
  }

  peerConnection(config: RTCConfiguration): RTCPeerConnection {
    const connection = new FakeConnection(this.world, config);
    this.connections.push(connection);
    this.world.connections.push(connection);
    return connection as unknown as RTCPeerConnection;
  }

  now(): number {
    return this.world.time;
  }

  setTimer(callback: () => void, seconds: number): FakeTimer {
    const timer = { at: this.world.time + seconds, callback: () => this.isGone || callback() };
    this.world.timers.add(timer);
    return timer;
  }

  clearTimer(timer: unknown): void {
    this.world.timers.delete(timer as FakeTimer);
  }
}

/** Two who are in a call: the initiator first. */
export async function two(world: World): Promise<[Person, Person]> {
  const first = await new Person(world).enter();
  const second = await new Person(world).enter();
  return [first, second];
}
