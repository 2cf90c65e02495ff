// One try at one comm server: from CONNECT over offer, answer and AUTH to READY, and on until the link ends.
//
// It only notes that it has ended and why (`end`); what to do about that is the session's to decide.
import { Capability, type ReadyMessage } from "../gen/broker.ts";
import { Code, MAX_CLIENT_MESSAGE_BYTES, MAX_MESSAGE_BYTES, OLD_SERVER_MESSAGE_BYTES } from "../gen/constants.ts";
import type { Random } from "./backoff.ts";
import type { Credentials } from "./credentials.ts";
import type { Delivery } from "./delivery.ts";
import { RequestRefused } from "./errors.ts";
import type { Emit, LinkEvent } from "./events.ts";
import type { IceChoice } from "./iceChoice.ts";
import { Liveness } from "./liveness.ts";
import type { ClientOptions } from "./options.ts";
import type { Held } from "./overlap.ts";
import { auth, DecodeError, decodePacket, type ServerPacket, sync } from "./packets.ts";
import { answer, connect, readOffer, type Signal } from "./signals.ts";
import type { ClientStats } from "./stats.ts";
import { Subscriber } from "./subscriber.ts";
import type { SubscriptionSet } from "./subscriptions.ts";
import { encodeText } from "./text.ts";
import { Trickle } from "./trickle.ts";

/**
 * How far a link is, each after the one before: ASKED (CONNECT is sent, the offer awaited), ANSWERING (the transport makes the answer),
 * OPENING (the answer is sent, the channels are awaited), AUTHENTICATING (AUTH is sent, READY awaited), JOINED (packets flow).
 */
export const Phase = { ASKED: 0, ANSWERING: 1, OPENING: 2, AUTHENTICATING: 3, JOINED: 4 } as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

const AWAITED = ["no offer of server", "no answer to server", "no open channel to server", "no READY of server"];

/** Why a link ended; `told`: the server said so itself (CLOSE, CONNECTION_REFUSED), otherwise it is what we concluded. */
export interface End {
  code: number;
  reason: string;
  told: boolean;
}

/** What a link shares with its session. */
export interface Surroundings {
  options: ClientOptions;
  stats: ClientStats;
  subscriptions: SubscriptionSet;
  delivery: Delivery;
  credentials: Credentials;
  ice: IceChoice;
  random: Random;
  emit: Emit;
}

/** The client's link to one comm server; a session has one, and while it moves a second. */
export class ServerLink {
  phase: Phase = Phase.ASKED;
  end: End | undefined;
  joinedAt = 0;
  /** The server takes TOPIC_BATCH. */
  batched = false;
  /** The server answers SYNC, and its groups have stamps. */
  syncs = false;
  toldToMove = false;
  #syncsSent = 0;
  #synced = 0;
  maxMessageBytes = OLD_SERVER_MESSAGE_BYTES;
  #transportLimit = MAX_MESSAGE_BYTES;
  #isOld = false;
  #deadline: number;
  readonly #reachDeadline: number;
  #isReached = false;
  readonly #joinDeadline: number;
  readonly #subscriber: Subscriber;
  readonly #candidates: Trickle;
  readonly #liveness: Liveness;

  /**
   * @param alias ours at the coordinator
   * @param maybeOld the coordinator speaks Part 1 only, so the server may too
   * @param hurried there is another server to try should this one be out of reach
   * @param held takes the packets until `takeOver`, where there is a link to another server that counts
   */
  constructor(
    readonly number: number,
    readonly server: number,
    public alias: number,
    readonly around: Surroundings,
    readonly maybeOld: boolean,
    hurried: boolean,
    readonly askedAt: number,
    private held?: Held | undefined,
  ) {
    const { options, subscriptions, emit, random } = around;
    this.#subscriber = new Subscriber(number, subscriptions, emit);
    this.#candidates = new Trickle(number, server, emit);
    this.#liveness = new Liveness(options.pingInterval, options.linkTimeout, options.probeTimeout, random);
    this.#joinDeadline = askedAt + options.joinTimeout;
    this.#reachDeadline = hurried ? Math.min(askedAt + options.reachTimeout, this.#joinDeadline) : this.#joinDeadline;
    this.#deadline = Math.min(askedAt + options.offerTimeout, this.#reachDeadline);
    emit({ kind: "sendSignal", frame: connect(server) });
  }

  // ---------------------------------------------------------------------------------------------------------- signalling

  /** A message of the coordinator; one that is not about this server is passed over. */
  signal(signal: Signal, now: number): void {
    if (signal.kind === "welcome" || signal.kind === "iceServers" || signal.from !== this.server) return;
    if (signal.kind === "gone") this.#serverGone(now);
    else if (signal.kind === "refused") this.#refused(signal.code);
    else if (signal.kind === "offer") this.#offered(signal.data, now);
    else if (!this.#candidates.received(signal.data)) this.around.stats.dropped.undecodable += 1;
  }

  /** The transport tells of this link. */
  happened(event: LinkEvent, now: number): void {
    switch (event.kind) {
      case "answered":
        // It goes out first, then the candidates that waited for it.
        this.phase = Phase.OPENING;
        this.around.emit({ kind: "sendSignal", frame: answer(this.server, event.sdp) });
        this.#candidates.open();
        break;
      case "linkRefused":
        this.fail(event.code, event.reason);
        break;
      case "localCandidate":
        this.#candidates.found(event.candidate);
        break;
      case "linkReached":
        this.#reached();
        break;
      case "linkOpened":
        this.#opened(event.maxMessageBytes, now);
        break;
      case "linkDoubtful":
        this.probe(now);
        break;
      case "linkEnded":
        this.fail(Code.LINK_LOST, event.reason);
        break;
      case "compressed":
        if (this.phase === Phase.JOINED) this.#subscriber.compressed(event.data);
    }
  }

  #offered(data: Uint8Array, now: number): void {
    if (this.phase !== Phase.ASKED) return; // a second one; there is no renegotiation
    try {
      const sdp = readOffer(data);
      this.phase = Phase.ANSWERING;
      this.#deadline = this.#reachDeadline;
      this.around.emit({ kind: "answerOffer", link: this.number, sdp, iceServers: this.around.ice.servers(now) });
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.fail(Code.BAD_SDP, error.message);
    }
  }

  #refused(code: number): void {
    // By the server, or by the coordinator in its name.
    if (this.phase < Phase.AUTHENTICATING) this.fail(code, "connection refused", true);
  }

  /** The coordinator's socket is gone: no offer comes and no answer goes, and a token that was revoked is not shown to a server. */
  signallingLost(isRevoked: boolean): void {
    if (this.phase < (isRevoked ? Phase.JOINED : Phase.OPENING))
      this.fail(Code.LINK_LOST, "the coordinator's socket closed while joining");
  }

  #serverGone(now: number): void {
    // The server's own socket is gone: it may be dead, or only have lost its coordinator.
    if (this.phase === Phase.JOINED) this.probe(now);
    else if (this.phase < Phase.OPENING) this.fail(Code.PEER_NOT_FOUND, "the server left while joining");
    else this.#deadline = Math.min(this.#deadline, now + this.around.options.probeTimeout);
  }

  /** There is reason to doubt that the link lives: find out. */
  probe(now: number): void {
    if (this.phase !== Phase.JOINED) return;
    this.#liveness.probe(now);
    this.ping(now);
  }

  // ---------------------------------------------------------------------------------------------------------------- link

  // A server with many newcomers at once is slow, not out of reach: to leave it would only make the next one slow.
  #reached(): void {
    this.#isReached = true;
    if (this.phase < Phase.AUTHENTICATING && this.#deadline === this.#reachDeadline) this.#deadline = this.#joinDeadline;
  }

  #opened(maxMessageBytes: number, now: number): void {
    this.phase = Phase.AUTHENTICATING;
    this.#transportLimit = Math.min(maxMessageBytes, MAX_MESSAGE_BYTES);
    this.#deadline = this.maybeOld ? now + this.around.options.oldServerAfter : this.#joinDeadline;
    this.#liveness.begin(now);
    this.authenticate();
  }

  /** Send AUTH: at the opening, and with a fresh token before the old one expires. Old servers know only the former. */
  authenticate(): void {
    if (!this.#isOld) this.#send(auth(encodeText(this.around.credentials.token)));
  }

  /** A message came by one of the channels. One that is none is dropped and counted: the server's fault is no reason to leave. */
  message(data: Uint8Array, reliable: boolean, now: number): void {
    const { stats, delivery } = this.around;
    stats.bytesReceived += data.length;
    this.#liveness.heard(now);
    try {
      const packet = decodePacket(data);
      if (packet === undefined) return;
      if (packet.kind === "batch") (this.held ?? delivery).batch(packet.message, reliable);
      else this.#control(packet, data, reliable, now);
      if (this.held?.isOver) this.fail(Code.SLOW_CONSUMER, "the server brings far more than the present one");
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      stats.dropped.undecodable += 1;
    }
  }

  #control(packet: ServerPacket, data: Uint8Array, reliable: boolean, now: number): void {
    switch (packet.kind) {
      case "single":
        this.around.delivery.single(packet.message, reliable);
        break;
      case "ping":
        this.#pinged(packet.message.time, data, reliable, now);
        break;
      case "ready":
        this.#ready(packet.message, now);
        break;
      case "subscribed": {
        const { version, refused } = packet.message;
        this.#subscriber.acknowledged(version, new Map(refused.map((entry) => [entry.topic, entry.code])));
        break;
      }
      case "error": {
        const { code, reason, topic } = packet.message;
        this.around.emit({ kind: "refused", error: new RequestRefused(code, reason, topic) });
        break;
      }
      case "move":
        this.toldToMove = true;
        break;
      case "synced":
        this.#synced = packet.message.number;
        break;
      case "close":
        this.fail(packet.message.code, packet.message.reason, true);
    }
  }

  #pinged(time: number, data: Uint8Array, reliable: boolean, now: number): void {
    if (this.#liveness.isToBeEchoed(time)) {
      this.around.emit({ kind: "sendPacket", link: this.number, data, reliable });
      return;
    }
    const echo = this.#liveness.echoed(time, now);
    if (echo) this.around.emit({ kind: "pingEchoed", number: echo[0], seconds: echo[1] });
  }

  // -------------------------------------------------------------------------------------------------------------- joined

  #ready(message: ReadyMessage, now: number): void {
    const { capabilities, limits } = message;
    this.maxMessageBytes = Math.min(limits?.maxMessageBytes || MAX_CLIENT_MESSAGE_BYTES, this.#transportLimit);
    this.batched = capabilities.includes(Capability.BATCH);
    this.syncs = capabilities.includes(Capability.MOVES);
    this.#subscriber.acknowledges = capabilities.includes(Capability.SUBSCRIBE_ACK);
    this.alias = message.alias || this.alias;
    this.#join(now);
  }

  #join(now: number): void {
    this.around.credentials.accepted();
    this.#subscriber.limit = this.maxMessageBytes;
    if (this.held === undefined) this.around.delivery.alias = this.alias;
    if (this.phase !== Phase.AUTHENTICATING) return;
    this.phase = Phase.JOINED;
    this.joinedAt = now;
    if (this.held === undefined) this.#subscriber.begin();
  }

  // -------------------------------------------------------------------------------------------------------------- moving

  /** As the next link: ask for the set that the present one has, then to be told when it is known everywhere. */
  mirror(): void {
    this.#subscriber.mirror((fits) => {
      if (fits) this.sync();
      else this.fail(Code.MESSAGE_TOO_LARGE, "the subscriptions do not fit into a message of this server");
    });
  }

  /** Ask to be told, by `isSynced`, when what was sent has taken effect everywhere. */
  sync(): void {
    this.#syncsSent += 1;
    this.#send(sync(this.#syncsSent));
  }

  /** Whether there was a SYNC, and the last was answered. */
  get isSynced(): boolean {
    return this.#syncsSent > 0 && this.#synced >= this.#syncsSent;
  }

  /** As the present link: whether the subscriptions stay as they are for now. */
  freeze(isFrozen: boolean): void {
    this.#subscriber.isFrozen = isFrozen;
    if (!isFrozen) this.subscriptionsChanged();
  }

  /** This is the present link from now on; `mirrored`: the server has the whole set, else, as after a loss, it is told now. */
  takeOver(mirrored: boolean): void {
    const { held } = this;
    this.held = undefined;
    if (this.phase === Phase.JOINED) {
      this.around.delivery.alias = this.alias;
      if (mirrored) this.#subscriber.adopt();
      else this.#subscriber.beginAnew();
    }
    held?.release();
  }

  /** Have the transport end it, if it has begun. */
  close(): void {
    if (this.phase > Phase.ASKED) this.around.emit({ kind: "closeLink", link: this.number });
  }

  /** Send the set, if it differs from the one the server has. */
  subscriptionsChanged(): void {
    if (this.phase === Phase.JOINED) this.#subscriber.update();
  }

  // ---------------------------------------------------------------------------------------------------------------- time

  /** Send a PING; its number comes back in `pingEchoed`. */
  ping(now: number): number {
    const [number, message] = this.#liveness.ping(now);
    this.#send(message);
    return number;
  }

  /** When to call `tick`. */
  nextDeadline(): number {
    return this.phase === Phase.JOINED ? this.#liveness.nextDeadline() : this.#deadline;
  }

  /** Look at the deadlines. */
  tick(now: number): void {
    if (this.phase === Phase.JOINED) {
      const sign = this.#liveness.look(now);
      if (sign === "lost") this.fail(Code.TIMEOUT, "nothing was heard from the server in time");
      else if (sign === "quiet") this.ping(now);
    } else if (this.#deadline <= now) {
      this.#late(now);
    }
  }

  #late(now: number): void {
    if (this.phase === Phase.AUTHENTICATING && this.maybeOld) {
      this.#isOld = true; // in Part 1 nothing answers AUTH: the link is taken for accepted
      this.#join(now);
    } else {
      this.fail(Code.TIMEOUT, this.awaited);
    }
  }

  /** What there is not yet, for people to read. */
  get awaited(): string {
    // Signalling goes by the coordinator: whoever hears an offer and finds no way is cut off from the server itself.
    const guess = this.phase === Phase.OPENING && !this.#isReached ? ": is UDP blocked?" : "";
    return `${AWAITED[this.phase]} ${this.server} in time${guess}`;
  }

  #send(data: Uint8Array): void {
    this.around.emit({ kind: "sendPacket", link: this.number, data, reliable: true });
  }

  /** It has ended; the first reason counts. */
  fail(code: number, reason: string, told = false): void {
    this.end ??= { code, reason, told };
  }
}
