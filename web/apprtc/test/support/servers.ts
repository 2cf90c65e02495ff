// Room server and message server in memory, as AppRTC's are, with a list of everything that was asked of them.
import { fields, parse, text } from "../../src/core/json.ts";
import type { World } from "./world.ts";

export const ORIGIN = "http://rooms.test/apprtc/";
export const SOCKET_URL = "ws://collider.test/ws";
export const POST_URL = "http://collider.test";

interface Occupant {
  id: string;
  isInitiator: boolean;
  stored: string[];
}

interface Client {
  socket: FakeSocket | undefined;
  queue: string[];
  /** A client without a socket is forgotten then. */
  forgottenAt: number;
}

export interface Asked {
  /** "JOIN", "POST" (a message, to either server), "LEAVE", "DELETE", "ICE", "REGISTER" or "SEND". */
  what: string;
  url: string;
  body: string;
}

export class FakeSocket {
  readonly OPEN = 1;
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  registered: { room: string; client: string } | undefined;

  constructor(
    readonly world: World,
    readonly url: string,
  ) {
    world.post(() => this.world.isOnline && this.open());
    world.sockets.add(this);
  }

  open(): void {
    if (this.readyState !== 0) return;
    this.readyState = 1;
    this.onopen?.();
  }

  send(frame: string): void {
    if (this.readyState !== 1) throw new Error("InvalidStateError");
    this.world.post(() => this.world.collider.frame(this, frame));
  }

  /** From the server. */
  tell(message: string, error = ""): void {
    this.world.post(() => {
      if (this.readyState === 1) this.onmessage?.({ data: `${JSON.stringify({ msg: message, error })}\n` });
    });
  }

  close(): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.world.sockets.delete(this);
    this.world.collider.gone(this);
    this.world.post(() => this.onclose?.());
  }

  /** The network took it. */
  lose(): void {
    this.close();
  }
}

export class Collider {
  readonly rooms = new Map<string, Map<string, Client>>();

  constructor(readonly world: World) {}

  frame(socket: FakeSocket, frame: string): void {
    const { cmd, roomid, clientid, msg } = fields(parse(frame));
    if (cmd === "register") {
      this.world.asked.push({ what: "REGISTER", url: socket.url, body: frame });
      const room = text(roomid);
      const client = this.client(room, text(clientid));
      if (client === undefined) {
        socket.tell("", "Max room capacity reached");
        socket.lose();
        return;
      }
      client.socket = socket;
      client.forgottenAt = Number.POSITIVE_INFINITY;
      socket.registered = { room, client: text(clientid) };
      for (const [id, other] of this.rooms.get(room) ?? []) {
        if (id !== clientid) for (const message of other.queue.splice(0)) socket.tell(message);
      }
    } else if (cmd === "send" && socket.registered) {
      this.world.asked.push({ what: "SEND", url: socket.url, body: text(msg) });
      this.pass(socket.registered.room, socket.registered.client, text(msg));
    } else {
      throw new Error(`the message server does not understand ${frame}`);
    }
  }

  pass(room: string, from: string, message: string): boolean {
    const client = this.client(room, from);
    if (client === undefined) return false;
    const others = [...(this.rooms.get(room) ?? [])].filter(([id]) => id !== from);
    const socket = others[0]?.[1].socket;
    if (socket) socket.tell(message);
    else client.queue.push(message);
    return true;
  }

  client(room: string, id: string): Client | undefined {
    const clients = this.rooms.get(room) ?? new Map<string, Client>();
    this.rooms.set(room, clients);
    const client = clients.get(id) ?? { socket: undefined, queue: [], forgottenAt: this.world.time + 10 };
    if (!clients.has(id) && clients.size >= 2) return undefined;
    clients.set(id, client);
    return client;
  }

  gone(socket: FakeSocket): void {
    const { room = "", client = "" } = socket.registered ?? {};
    const found = this.rooms.get(room)?.get(client);
    if (found?.socket !== socket) return;
    found.socket = undefined;
    found.forgottenAt = this.world.time + 10;
  }

  remove(room: string, id: string): void {
    this.rooms.get(room)?.delete(id);
    this.world.roomServer.leave(room, id);
  }

  tick(): void {
    for (const [room, clients] of this.rooms) {
      for (const [id, client] of clients) if (client.forgottenAt <= this.world.time) this.remove(room, id);
    }
  }
}

export class RoomServer {
  readonly rooms = new Map<string, Occupant[]>();
  /** What a join reply has besides. */
  more: Record<string, unknown> = {};
  #last = 10_000_000;

  constructor(readonly world: World) {}

  join(room: string): unknown {
    const occupants = this.rooms.get(room) ?? [];
    if (occupants.length >= 2) return { result: "FULL", params: { messages: [] } };
    this.#last += 1;
    const id = String(this.#last);
    const isInitiator = occupants.length === 0;
    const messages = occupants.flatMap((other) => other.stored.splice(0));
    this.rooms.set(room, [...occupants, { id, isInitiator, stored: [] }]);
    const params = {
      client_id: id,
      room_id: room,
      is_initiator: String(isInitiator),
      messages,
      wss_url: SOCKET_URL,
      wss_post_url: POST_URL,
      ice_server_url: `${ORIGIN}v1alpha/iceconfig?key=`,
      pc_config: '{"iceServers": [], "bundlePolicy": "max-bundle", "rtcpMuxPolicy": "require"}',
      offer_options: "{}",
      ...this.more,
    };
    return { result: "SUCCESS", params };
  }

  message(room: string, id: string, body: string): { result: string } | undefined {
    const occupants = this.rooms.get(room);
    if (!occupants) return { result: "UNKNOWN_ROOM" };
    const occupant = occupants.find((one) => one.id === id);
    if (!occupant) return { result: "UNKNOWN_CLIENT" };
    if (occupants.length === 1) occupant.stored.push(body);
    else if (!this.world.collider.pass(room, id, body)) return undefined;
    return { result: "SUCCESS" };
  }

  leave(room: string, id: string): void {
    const left = (this.rooms.get(room) ?? []).filter((one) => one.id !== id);
    if (left.length > 0) this.rooms.set(room, left);
    else this.rooms.delete(room);
  }
}
