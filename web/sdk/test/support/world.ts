// A world without network and time: a coordinator, comm servers, a browser's WebSocket and RTCPeerConnection, all in one event queue.
// What comes and goes is real protocol, encoded and decoded by the generated code.

import type { Client, ConnectOptions } from "../../src/api.ts";
import { connectOn } from "../../src/client.ts";
import {
  AuthMessage,
  Capability,
  CloseMessage,
  ConnectionRefusedMessage,
  ConnectionRefusedReason,
  ConnectMessage,
  CoordinatorMessage,
  ErrorMessage,
  Format,
  type IceServer,
  IceServersMessage,
  MessageHeader,
  MessageType,
  MoveMessage,
  PeerGoneMessage,
  PingMessage,
  ReadyMessage,
  SubscribedMessage,
  SubscriptionMessage,
  SyncMessage,
  TopicBatchMessage,
  type TopicGroup,
  TopicIdentityMessage,
  TopicMessage,
  WebRtcMessage,
  WelcomeMessage,
} from "../../src/gen/broker.ts";
import { Code } from "../../src/gen/constants.ts";
import type { PageWatcher, Platform } from "../../src/io/platform.ts";

const utf8 = new TextEncoder();
export const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
export const bytes = (value: string) => utf8.encode(value);

interface FakeTimer {
  at: number;
  callback: () => void;
}

/** One packet that a server received from the client. */
export interface Heard {
  topic: string;
  body: Uint8Array;
  reliable: boolean;
  identity: boolean;
  /** Number of the message it came in, over both channels. */
  message: number;
}

export class World implements Platform {
  time = 1_700_000_000;
  readonly sockets: FakeSocket[] = [];
  readonly connections: FakeConnection[] = [];
  readonly reported: unknown[] = [];
  readonly servers = new Map<number, FakeServer>();
  readonly unhandled: Uint8Array[] = [];
  watcher: PageWatcher | undefined;
  random = () => 0.5;
  alias = 77;
  resume = "proof";
  /** What WELCOME says of ICE servers. */
  iceServers: IceServer[] = [];
  iceLifetime = 0;
  /** What the coordinator does with a dial: welcome it, never answer, or end it. */
  onDial: (socket: FakeSocket) => void = (socket) => socket.welcome();
  gzipFails = false;
  #heldGzip: (() => void)[] | undefined;
  #timers = new Set<FakeTimer>();
  #queue: (() => void)[] = [];

  constructor(...aliases: number[]) {
    for (const alias of aliases) this.server(alias);
  }

  server(alias: number): FakeServer {
    const server = new FakeServer(this, alias);
    this.servers.set(alias, server);
    return server;
  }

  // ------------------------------------------------------------------------------------------------------------ platform

  webSocket(url: string): WebSocket {
    const socket = new FakeSocket(this, url);
    this.sockets.push(socket);
    this.post(() => this.onDial(socket));
    return socket as unknown as WebSocket;
  }

  peerConnection(config: RTCConfiguration): RTCPeerConnection {
    const connection = new FakeConnection(this, config);
    this.connections.push(connection);
    return connection as unknown as RTCPeerConnection;
  }

  now = () => this.time;

  setTimer(callback: () => void, seconds: number): FakeTimer {
    const timer = { at: this.time + seconds, callback };
    this.#timers.add(timer);
    return timer;
  }

  clearTimer(timer: unknown): void {
    this.#timers.delete(timer as FakeTimer);
  }

  soon(callback: () => void): void {
    this.post(callback);
  }

  async gzip(data: Uint8Array): Promise<Uint8Array> {
    if (this.gzipFails) throw new Error("no CompressionStream here");
    const { promise, resolve } = later();
    if (this.#heldGzip) this.#heldGzip.push(resolve);
    else resolve();
    await promise;
    return Uint8Array.from([0x1f, 0x8b, ...data]);
  }

  /** From now on nothing comes out of gzip, until the function returned is called. */
  holdGzip(): () => void {
    const held: (() => void)[] = [];
    this.#heldGzip = held;
    return () => {
      this.#heldGzip = undefined;
      for (const release of held) release();
    };
  }

  report = (error: unknown) => {
    this.reported.push(error);
  };

  watch(watcher: PageWatcher): () => void {
    this.watcher = watcher;
    return () => {
      this.watcher = undefined;
    };
  }

  // ---------------------------------------------------------------------------------------------------------------- time

  get timers(): number {
    return this.#timers.size;
  }

  /** Do this as a task of its own. */
  post(callback: () => void): void {
    this.#queue.push(callback);
  }

  /** Until nothing happens any more without time going by. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      await new Promise((resolve) => setImmediate(resolve));
      const task = this.#queue.shift();
      if (task) task();
      quiet = task ? 0 : quiet + 1;
    }
  }

  /** Let time go by. */
  async advance(seconds: number): Promise<void> {
    const end = this.time + seconds;
    await this.settle();
    for (;;) {
      const [next] = [...this.#timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.callback();
      await this.settle();
    }
    this.time = end;
  }

  /** Let time go by until the promise is decided. */
  async until<T>(promise: Promise<T>, seconds = 60): Promise<T> {
    let decided = false;
    promise.then(
      () => {
        decided = true;
      },
      () => {
        decided = true;
      },
    );
    await this.settle();
    for (let waited = 0; !decided && waited < seconds; waited += 0.05) await this.advance(0.05);
    if (!decided) throw new Error(`undecided after ${seconds} s`);
    return promise;
  }

  async connect(options: ConnectOptions = {}, url = "ws://coordinator:9090"): Promise<Client> {
    return this.until(connectOn(this, url, options));
  }

  // --------------------------------------------------------------------------------------------------------- the present

  get socket(): FakeSocket {
    return last(this.sockets);
  }

  get connection(): FakeConnection {
    return last(this.connections);
  }
}

function later(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

function last<T>(list: T[]): T {
  const item = list.at(-1);
  if (item === undefined) throw new Error("there is none yet");
  return item;
}

export class FakeSocket {
  binaryType = "";
  readyState = 0;
  bufferedAmount = 0;
  closedWith: number | undefined;
  readonly sent: Uint8Array[] = [];
  readonly candidates: { candidate: string }[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;

  constructor(
    readonly world: World,
    readonly url: string,
  ) {}

  get query(): URLSearchParams {
    return new URL(this.url).searchParams;
  }

  send(frame: Uint8Array): void {
    this.sent.push(frame);
    this.world.post(() => this.#take(frame));
  }

  close(code: number): void {
    this.readyState = 3;
    this.closedWith = code;
  }

  // ---------------------------------------------------------------------------------------------------- the other side

  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  welcome(servers: Iterable<number> = this.world.servers.keys()): void {
    this.open();
    const { alias, resume, iceServers, iceLifetime } = this.world;
    this.tell(
      WelcomeMessage.encode({
        type: MessageType.WELCOME,
        alias,
        availableServers: [...servers],
        resume,
        authRequired: false,
        iceServers,
        iceLifetime,
        requestId: "",
        hubs: false,
        ending: [],
      }).finish(),
    );
  }

  /** ICE_SERVERS, as the coordinator sends it before credentials end. */
  renewIce(iceServers: IceServer[], iceLifetime: number): void {
    this.tell(IceServersMessage.encode({ type: MessageType.ICE_SERVERS, iceServers, iceLifetime }).finish());
  }

  tell(frame: Uint8Array): void {
    this.world.post(() => this.onmessage?.({ data: frame.slice().buffer }));
  }

  end(code: number, reason = ""): void {
    this.readyState = 3;
    this.world.post(() => this.onclose?.({ code, reason }));
  }

  refuse(server: number, code: number, reason: ConnectionRefusedReason = ConnectionRefusedReason.SERVER_FULL): void {
    const type = MessageType.CONNECTION_REFUSED;
    this.tell(
      ConnectionRefusedMessage.encode({ type, fromAlias: server, toAlias: 0, reason, data: new Uint8Array(), code }).finish(),
    );
  }

  gone(server: number): void {
    this.tell(PeerGoneMessage.encode({ type: MessageType.PEER_GONE, alias: server }).finish());
  }

  webRtc(type: MessageType, server: number, value: unknown): void {
    const data = typeof value === "string" ? bytes(value) : bytes(JSON.stringify(value));
    this.tell(WebRtcMessage.encode({ type, fromAlias: server, toAlias: 0, data }).finish());
  }

  #take(frame: Uint8Array): void {
    if (this.readyState !== 1) return;
    const { type } = CoordinatorMessage.decode(frame);
    if (type === MessageType.CONNECT) {
      const { toAlias } = ConnectMessage.decode(frame);
      this.world.servers.get(toAlias)?.asked(this);
    } else if (type === MessageType.WEBRTC_ANSWER) {
      const { toAlias, data } = WebRtcMessage.decode(frame);
      this.world.servers.get(toAlias)?.answered(JSON.parse(text(data)));
    } else if (type === MessageType.WEBRTC_ICE_CANDIDATE) {
      this.candidates.push(JSON.parse(text(WebRtcMessage.decode(frame).data)));
    } else {
      this.world.unhandled.push(frame);
    }
  }
}

export class FakeConnection {
  connectionState = "new";
  iceConnectionState = "new";
  localDescription: { sdp: string } | null = null;
  sctp: { maxMessageSize: number } | null = { maxMessageSize: 65_536 };
  isClosed = false;
  remote = "";
  readonly candidates: unknown[] = [];
  readonly channels: FakeChannel[] = [];
  /** What setLocalDescription finds; null ends them. */
  found: (string | null)[] = ["candidate:1", "", null];
  onicecandidate: ((event: { candidate: unknown }) => void) | null = null;
  onicecandidateerror: ((event: { url: string; errorCode: number; errorText: string }) => void) | null = null;
  ondatachannel: ((event: { channel: FakeChannel }) => void) | null = null;
  onconnectionstatechange: (() => void) | null = null;
  oniceconnectionstatechange: (() => void) | null = null;

  constructor(
    readonly world: World,
    readonly config: RTCConfiguration,
  ) {}

  async setRemoteDescription({ sdp }: { sdp: string }): Promise<void> {
    if (sdp === "bad") throw new Error("cannot parse this");
    this.remote = sdp;
  }

  async createAnswer(): Promise<{ type: string; sdp: string }> {
    return { type: "answer", sdp: "answer" };
  }

  async setLocalDescription({ sdp }: { sdp: string }): Promise<void> {
    this.localDescription = { sdp };
    for (const candidate of this.found) {
      const found = candidate === null ? null : { candidate, sdpMid: "0", sdpMLineIndex: 0, usernameFragment: "u" };
      this.onicecandidate?.({ candidate: found });
    }
  }

  async addIceCandidate(candidate: { candidate: string }): Promise<void> {
    if (candidate.candidate === "bad") throw new Error("cannot parse this");
    this.candidates.push(candidate);
  }

  close(): void {
    this.isClosed = true;
    for (const channel of this.channels) channel.readyState = "closed";
  }

  // ---------------------------------------------------------------------------------------------------- the other side

  open(server: FakeServer): void {
    for (const label of ["reliable", "stranger", "unreliable"]) {
      const channel = new FakeChannel(this.world, label, server);
      this.channels.push(channel);
      this.ondatachannel?.({ channel });
    }
    for (const channel of this.channels) {
      channel.readyState = "open";
      channel.onopen?.();
    }
  }

  /** A way was found. */
  reach(): void {
    this.iceConnectionState = "connected";
    this.oniceconnectionstatechange?.();
  }

  become(state: string): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }

  channel(label: string): FakeChannel {
    const channel = this.channels.find((other) => other.label === label);
    if (channel === undefined) throw new Error(`there is no channel ${label}`);
    return channel;
  }
}

export class FakeChannel {
  binaryType = "";
  readyState = "connecting";
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  /** The largest message it takes. */
  most = 1 << 20;
  /** Nothing is sent on, and the buffer grows. */
  isStuck = false;
  readonly sent: Uint8Array[] = [];
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onbufferedamountlow: (() => void) | null = null;

  constructor(
    readonly world: World,
    readonly label: string,
    readonly server: FakeServer,
  ) {}

  send(data: Uint8Array): void {
    if (this.readyState !== "open") throw new Error("InvalidStateError");
    if (data.length > this.most) throw new Error("TypeError: too large");
    if (this.isStuck) this.bufferedAmount += data.length;
    const copy = data.slice();
    this.sent.push(copy);
    this.world.post(() => this.server.take(copy, this));
  }

  /** The buffer has emptied. */
  drain(): void {
    this.isStuck = false;
    this.bufferedAmount = 0;
    this.onbufferedamountlow?.();
  }

  tell(data: Uint8Array | string): void {
    this.world.post(() => {
      if (this.readyState === "open") this.onmessage?.({ data: typeof data === "string" ? data : data.slice().buffer });
    });
  }
}

const ALL = [Capability.BATCH, Capability.SUBSCRIBE_ACK, Capability.ERRORS, Capability.MOVES];

export class FakeServer {
  capabilities: Capability[] = ALL;
  /** Answers AUTH with READY. */
  isOld = false;
  isSilent = false;
  /** Refuses CONNECT with this code. */
  refusal = 0;
  offersNothing = false;
  acknowledges = true;
  maxMessageBytes = 0;
  readyAlias = 0;
  /** Codes of topics it refuses. */
  readonly refused = new Map<string, number>();
  readonly tokens: string[] = [];
  readonly heard: Heard[] = [];
  readonly sets: { version: number; topics: string[]; format: Format }[] = [];
  readonly pings: number[] = [];
  /** Numbers of SYNCs, in order; answered at once unless `holdsSync`. */
  readonly syncs: number[] = [];
  holdsSync = false;
  /** The connection that was made last. */
  #connection: FakeConnection | undefined;
  readonly messages: Uint8Array[] = [];
  joined = 0;
  /** Looks at an AUTH's token; a code closes the link. */
  judge: (token: string) => number = () => 0;

  constructor(
    readonly world: World,
    readonly alias: number,
  ) {}

  asked(socket: FakeSocket): void {
    if (this.refusal) socket.refuse(this.alias, this.refusal);
    else if (!this.offersNothing)
      socket.webRtc(MessageType.WEBRTC_OFFER, this.alias, { type: "offer", sdp: `offer of ${this.alias}` });
  }

  answered(description: { type: string; sdp: string }): void {
    if (description.type !== "answer") throw new Error("that is no answer");
    this.#connection = this.world.connection;
    this.#connection.open(this);
  }

  take(data: Uint8Array, channel: FakeChannel): void {
    this.messages.push(data);
    if (this.isSilent) return;
    const reliable = channel.label === "reliable";
    const message = this.messages.length;
    const { type } = MessageHeader.decode(data);
    switch (type) {
      case MessageType.AUTH:
        this.#authenticate(text(AuthMessage.decode(data).body), channel);
        break;
      case MessageType.SUBSCRIPTION:
        this.#subscribe(SubscriptionMessage.decode(data), channel);
        break;
      case MessageType.PING:
        this.pings.push(PingMessage.decode(data).time);
        channel.tell(data);
        break;
      case MessageType.SYNC:
        this.syncs.push(SyncMessage.decode(data).number);
        if (!this.holdsSync) this.synced();
        break;
      case MessageType.TOPIC: {
        const { topic, body } = TopicMessage.decode(data);
        this.heard.push({ topic, body, reliable, identity: false, message });
        break;
      }
      case MessageType.TOPIC_IDENTITY: {
        const { topic, body } = TopicIdentityMessage.decode(data);
        this.heard.push({ topic, body, reliable, identity: true, message });
        break;
      }
      case MessageType.TOPIC_BATCH:
        for (const { topic, body: bodies, identity } of TopicBatchMessage.decode(data).groups)
          for (const body of bodies) this.heard.push({ topic, body, reliable, identity, message });
        break;
      default:
        this.world.unhandled.push(data);
    }
  }

  #authenticate(token: string, channel: FakeChannel): void {
    this.tokens.push(token);
    const code = this.judge(token);
    if (code) this.close(code);
    else if (!this.isOld) {
      this.joined += 1;
      const limits = {
        maxMessageBytes: this.maxMessageBytes,
        maxTopicBytes: 0,
        maxTopics: 0,
        packetsPerSecond: 0,
        packetsBurst: 0,
      };
      const { capabilities } = this;
      channel.tell(ReadyMessage.encode({ type: MessageType.READY, alias: this.readyAlias, capabilities, limits }).finish());
    }
  }

  #subscribe({ version, topics, format }: SubscriptionMessage, channel: FakeChannel): void {
    const plain = text(format === Format.GZIP ? topics.slice(2) : topics);
    const names = plain.split(" ").filter((name) => name);
    this.sets.push({ version, topics: names, format });
    if (this.acknowledges && !this.isOld) this.acknowledge(version, names, channel);
  }

  acknowledge(version: number, names: string[], channel = this.connection.channel("reliable")): void {
    const refused = names.flatMap((topic) => {
      const code = this.refused.get(topic);
      return code ? [{ topic, code }] : [];
    });
    channel.tell(SubscribedMessage.encode({ type: MessageType.SUBSCRIBED, version, refused, refusedMore: 0 }).finish());
  }

  // ------------------------------------------------------------------------------------------------------- what it does

  get connection(): FakeConnection {
    return this.#connection ?? this.world.connection;
  }

  /** MOVE: go elsewhere. */
  move(): void {
    const type = MessageType.MOVE;
    this.tell(MoveMessage.encode({ type, code: Code.SERVER_DRAINING, reason: "", seconds: 20, servers: [] }).finish());
  }

  /** Answers the last SYNC. */
  synced(): void {
    this.tell(SyncMessage.encode({ type: MessageType.SYNCED, number: last(this.syncs) }).finish());
  }

  /** A group of one record of alias 9, that server 3 made. */
  stamped(topic: string, serial: number, body = String(serial), reliable = true): void {
    this.batch([{ ...this.group(topic, [[9, body]]), origin: 3, serial }], reliable);
  }

  tell(data: Uint8Array | string, reliable = true): void {
    this.connection.channel(reliable ? "reliable" : "unreliable").tell(data);
  }

  group(topic: string, records: [alias: number, body: string][], senders: TopicGroup["senders"] = []): TopicGroup {
    return {
      topic,
      fromAlias: records.map(([alias]) => alias),
      body: records.map(([, body]) => bytes(body)),
      identity: false,
      senders,
      origin: 0,
      serial: 0,
    };
  }

  batch(groups: TopicGroup[], reliable = true): void {
    this.tell(TopicBatchMessage.encode({ type: MessageType.TOPIC_BATCH, groups }).finish(), reliable);
  }

  error(code: number, reason: string, topic: string): void {
    this.tell(ErrorMessage.encode({ type: MessageType.ERROR, code, reason, topic }).finish());
  }

  close(code: number, reason = ""): void {
    this.tell(CloseMessage.encode({ type: MessageType.CLOSE, code, reason }).finish());
  }

  /** Dies: nothing is answered any more, and the coordinator says so. */
  die(): void {
    this.isSilent = true;
    this.world.servers.delete(this.alias);
    this.world.socket.gone(this.alias);
  }
}

/** A token as the SDK reads it: nobody here verifies it. */
export function jwt(expiresAt: number, more: object = {}): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none" })}.${part({ sub: "ann", name: "Ännchen", exp: expiresAt, ...more })}.signature`;
}
