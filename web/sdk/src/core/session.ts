// The life of one client: dial the coordinator, join a server, notice that it is lost, come back. Pure: events in, outputs out.
//
// Two things live beside each other. The socket to the coordinator is always wanted; without it nothing can be joined, but a joined server
// does not need it. The link to a server is wanted whenever there is none and the socket is welcomed: the servers of WELCOME are tried in
// turn (a round), then the coordinator is dialed again for a fresh list, after a pause with full jitter. Where the server asks its client to go
// elsewhere, the same happens beside the link it has (a move), until another takes its place.
import { Code } from "../gen/constants.ts";
import type { Random } from "./backoff.ts";
import { AUTH_CODES, Credentials } from "./credentials.ts";
import type { Delivery } from "./delivery.ts";
import { ConnectError, RtcBrokerError, TokenUnavailable } from "./errors.ts";
import type { Event, Output } from "./events.ts";
import { IceChoice } from "./iceChoice.ts";
import { Moving } from "./moving.ts";
import type { ClientOptions } from "./options.ts";
import { DecodeError } from "./packets.ts";
import { finalError, Patience } from "./patience.ts";
import { type End, Phase, ServerLink, type Surroundings } from "./serverLink.ts";
import { type Coordinator, Signalling } from "./signalling.ts";
import { decodeSignal, type Signal } from "./signals.ts";
import { type ClientState, Lifecycle } from "./states.ts";
import type { ClientStats } from "./stats.ts";
import type { SubscriptionSet } from "./subscriptions.ts";
import type { Turns } from "./turns.ts";

// A try that is younger (seconds) explains nothing: most are done by then.
const JUST_BEGUN = 1;

/** What a session works with. */
export interface SessionParts {
  options: ClientOptions;
  stats: ClientStats;
  subscriptions: SubscriptionSet;
  delivery: Delivery;
  random: Random;
  coordinators: Turns<Coordinator>;
  /** The application's fixed token. */
  token: string | undefined;
  /** The application gave a function instead. */
  renewable: boolean;
}

/** The state machine of one client. Change state by `handle` or `received`, do all it returns, then change it again. */
export class Session {
  alias = 0;
  /** Why the last try failed. */
  failure = new RtcBrokerError(Code.TIMEOUT, "no answer yet");
  readonly #around: Surroundings;
  readonly #signalling: Signalling;
  readonly #patience: Patience;
  readonly #moving: Moving;
  readonly #lifecycle = new Lifecycle();
  #outputs: Output[] = [];
  #link: ServerLink | undefined;
  #links = 0;

  constructor(parts: SessionParts) {
    const { options, random } = parts;
    const credentials = new Credentials(parts.token, parts.renewable);
    const emit = (output: Output) => {
      this.#outputs.push(output);
    };
    this.#around = { ...parts, credentials, ice: new IceChoice(options.iceServers), emit };
    this.#signalling = new Signalling(parts.coordinators, options, credentials, random, emit);
    this.#patience = new Patience(options, credentials, random);
    this.#moving = new Moving(this.#around);
  }

  // ---------------------------------------------------------------------------------------------------------- the border

  get state(): ClientState {
    return this.#lifecycle.state;
  }

  /** The link packets may be sent on. */
  get joined(): ServerLink | undefined {
    const link = this.#link;
    return link?.phase === Phase.JOINED && link.end === undefined ? link : undefined;
  }

  /** Whether what is published reliably has to wait for `moved`. */
  get isParting(): boolean {
    return this.#moving.isParting;
  }

  get #allLinks(): ServerLink[] {
    return [this.#link, this.#moving.next].filter((link) => link !== undefined);
  }

  #linkOf(number: number): ServerLink | undefined {
    return this.#allLinks.find((link) => link.number === number);
  }

  /** Why there is no connection: what the present try waits for, if it has for some time, else why the last one failed. */
  trouble(now: number): RtcBrokerError {
    const link = this.#link;
    const { socket, askedAt } = this.#signalling;
    if (link === undefined && socket === "token" && now - askedAt >= JUST_BEGUN)
      return new TokenUnavailable("it has not answered yet");
    if (link === undefined || link.phase === Phase.JOINED || now - link.askedAt < JUST_BEGUN) return this.failure;
    return new RtcBrokerError(Code.TIMEOUT, link.awaited);
  }

  /** Take an event at `now` (seconds since the epoch); returns what is to be done, in this order. A closed client does nothing. */
  handle(event: Event, now: number): Output[] {
    if (this.state === "closed") return [];
    this.#take(event, now);
    return this.#drain(now);
  }

  #take(event: Event, now: number): void {
    switch (event.kind) {
      case "start":
        this.#change("connecting");
        this.#signalling.dial(now);
        break;
      case "stop":
        this.#finish(event.cause);
        break;
      case "stay":
        this.#moving.giveUp();
        if (this.#link) this.#link.toldToMove = false;
        break;
      case "token":
        this.#onToken(event.token, now);
        break;
      case "tokenFailed":
        this.#onTokenFailed(event.reason, now);
        break;
      case "socketOpened":
        this.#signalling.socket = "open";
        break;
      case "signal":
        this.#onSignal(event.frame, now);
        break;
      case "socketEnded":
        this.#onSocketEnded(new RtcBrokerError(event.code, event.reason), now);
        break;
      case "subscriptionsChanged":
        this.joined?.subscriptionsChanged();
        break;
      case "networkChanged":
        this.#onNetwork(event.online, now);
        break;
      case "deadline":
        this.#onDeadline(now);
        break;
      default:
        this.#linkOf(event.link)?.happened(event, now);
    }
  }

  /** Take a message that came by a link: `handle` for the busiest of all events. */
  received(link: number, data: Uint8Array, reliable: boolean, now: number): Output[] {
    const found = this.#linkOf(link);
    if (found === undefined) return [];
    found.message(data, reliable, now);
    return this.#drain(now);
  }

  /** Send a PING: its number (`pingEchoed`), and what is to be done; undefined when not joined. */
  ping(now: number): [number, Output[]] | undefined {
    const number = this.joined?.ping(now);
    return number === undefined ? undefined : [number, this.#drain(now)];
  }

  /** When to send `deadline`, at the latest; undefined for never. */
  nextDeadline(): number | undefined {
    if (this.state === "closed") return undefined;
    const deadlines = [this.#signalling.deadline, this.#moving.deadline, this.joined && this.#around.credentials.renewAt];
    deadlines.push(...this.#allLinks.map((link) => link.nextDeadline()));
    const known = deadlines.filter((deadline) => deadline !== undefined);
    return known.length > 0 ? Math.min(...known) : undefined;
  }

  #drain(now: number): Output[] {
    for (let link = this.#link; link !== undefined; link = this.#link) {
      if (link.end !== undefined) {
        this.#link = undefined;
        this.#onLinkOver(link, link.end, now);
      } else if (link.phase === Phase.JOINED && this.state !== "connected") {
        this.#onJoined(link);
      } else if (!this.#moveOn(link, now)) {
        break;
      }
    }
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  #emit(output: Output): void {
    this.#outputs.push(output);
  }

  #change(state: ClientState, cause?: RtcBrokerError): void {
    if (this.#lifecycle.to(state)) this.#emit(cause ? { kind: "stateChanged", state, cause } : { kind: "stateChanged", state });
  }

  #finish(cause: RtcBrokerError | undefined): void {
    this.#moving.giveUp();
    if (this.#link !== undefined) {
      this.#leave(this.#link);
      this.#link = undefined;
    }
    this.#signalling.hangUp();
    this.#change("closed", cause);
  }

  // ----------------------------------------------------------------------------------------------------------- the token

  #onToken(token: string, now: number): void {
    this.#around.credentials.received(token, now);
    if (this.#signalling.socket === "token") this.#signalling.dial(now);
    for (const link of this.#allLinks) if (link.phase === Phase.JOINED) link.authenticate();
  }

  #onTokenFailed(reason: string, now: number): void {
    this.#around.credentials.failed(now);
    const error = new TokenUnavailable(reason);
    this.#emit({ kind: "refused", error });
    if (this.#signalling.socket !== "token") return;
    this.#signalling.socket = "down";
    this.#onDialFailed(error, now);
  }

  // ---------------------------------------------------------------------------------------------------------- the socket

  #onSocketEnded(failure: RtcBrokerError, now: number): void {
    const { credentials } = this.#around;
    this.#signalling.socket = "down";
    // Of a link that lives the server itself decides, but for a token that no server of the cluster takes any more.
    const isDecisive = this.#link === undefined || (failure.code === Code.TOKEN_REVOKED && !credentials.renewable);
    if (isDecisive && this.#isSettledBy(failure, now)) return;
    if (AUTH_CODES.has(failure.code)) credentials.void();
    this.#onDialFailed(failure, now);
  }

  /** The socket did not come up, or went. With a link that lives, or may yet, this is no more than a reason to dial again. */
  #onDialFailed(failure: RtcBrokerError, now: number): void {
    this.#signalling.dialLater(now);
    if (this.#link !== undefined) {
      for (const link of this.#allLinks) link.signallingLost(failure.code === Code.TOKEN_REVOKED);
    } else {
      this.failure = failure;
      this.#countFailedAttempt();
    }
  }

  #countFailedAttempt(): void {
    if (this.#patience.isOver()) this.#finish(new ConnectError(this.failure.code, this.failure.reason));
  }

  /** Whether the coordinator's or the server's own word settles what to do: then it is done. */
  #isSettledBy(told: RtcBrokerError, now: number): boolean {
    const verdict = this.#patience.judge(told);
    if (verdict === "fresh token") this.#signalling.dialAt(now);
    else if (verdict === "never") this.#finish(finalError(told));
    return verdict !== "again";
  }

  #onSignal(frame: Uint8Array, now: number): void {
    let signal: Signal | undefined;
    try {
      signal = decodeSignal(frame);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#around.stats.dropped.undecodable += 1;
    }
    if (signal?.kind === "welcome" || signal?.kind === "iceServers") this.#around.ice.granted(signal.ice, now);
    if (signal?.kind === "welcome") {
      this.#signalling.welcomed(signal.alias, signal.servers, signal.resume);
      if (this.#moving.isSeeking) this.#nextServer(now);
      if (this.#link !== undefined) return;
      this.alias = signal.alias;
      if (signal.servers.length === 0) this.failure = new RtcBrokerError(Code.NO_SERVERS);
      this.#nextServer(now);
    } else if (signal !== undefined && this.#signalling.socket === "welcomed") {
      for (const link of this.#allLinks) link.signal(signal, now);
    }
  }

  // ------------------------------------------------------------------------------------------------------------ the link

  #nextServer(now: number): void {
    if (this.#signalling.socket !== "welcomed") return; // the next WELCOME begins a round
    let server = this.#signalling.servers.next();
    if (server === this.#link?.server) server = this.#signalling.servers.next(); // it does not want us any more
    if (server === undefined) {
      this.#endRound(now);
      return;
    }
    this.#links += 1;
    const { alias, speaksPart2, servers } = this.#signalling;
    const held = this.#moving.holding();
    const link = new ServerLink(this.#links, server, alias, this.#around, !speaksPart2, servers.hasMore, now, held);
    if (this.#moving.isUnderWay) this.#moving.next = link;
    else this.#link = link;
  }

  /** None of the servers will do: ask the coordinator for a fresh list, after a pause. */
  #endRound(now: number): void {
    if (this.#moving.isUnderWay) {
      this.#signalling.dialAt(now + this.#moving.pause());
      return;
    }
    this.#signalling.dialAt(now + this.#patience.pause());
    this.#countFailedAttempt();
  }

  #onJoined(link: ServerLink): void {
    const { stats } = this.#around;
    this.#patience.joined();
    this.alias = link.alias;
    stats.joins += 1;
    if (this.state === "reconnecting") stats.reconnects += 1;
    this.#change("connected");
  }

  #onLinkOver(link: ServerLink, end: End, now: number): void {
    this.failure = new RtcBrokerError(end.code, end.reason);
    this.#leave(link);
    const wasConnected = this.state === "connected";
    // Without a word of the server's own nothing is final, and a refused CONNECT says only that this server is not for us.
    const isVerdict = end.told && (link.phase >= Phase.AUTHENTICATING || AUTH_CODES.has(end.code));
    const isSettled = isVerdict && this.#isSettledBy(this.failure, now);
    if (wasConnected && this.#lifecycle.state === "connected") this.#change("reconnecting", this.failure);
    if (isSettled) {
      this.#moving.giveUp();
      return;
    }
    this.#link = this.#moving.promote(now);
    if (this.#link !== undefined) return;
    if (wasConnected) this.#onLost(link, end, now);
    // The socket broke while joining: a coordinator that does so each time is not to be asked at full speed.
    else if (this.#signalling.socket === "down") this.#endRound(now);
    else this.#nextServer(now);
  }

  #onLost(link: ServerLink, end: End, now: number): void {
    if (now - link.joinedAt < this.#around.options.stableAfter) {
      this.#endRound(now);
      return;
    }
    this.#patience.restore();
    const again = end.told && this.failure.retry === "retry";
    this.#signalling.servers.restart(again ? { first: link.server } : { without: link.server });
    // No longer in the background: now it is wanted.
    if (this.#signalling.socket === "down") this.#signalling.dialAt(now);
    this.#nextServer(now);
  }

  /** Whether something is to be done about a move; then it is done. */
  #moveOn(link: ServerLink, now: number): boolean {
    if (link.toldToMove && link.phase === Phase.JOINED && !this.#moving.isUnderWay) {
      this.#moving.begin(link);
      this.#signalling.dialAt(now); // for a list of servers as it is now
      return true;
    }
    if (this.#moving.nextHasFailed()) {
      this.#nextServer(now);
      return true;
    }
    const successor = this.#moving.advance(now);
    if (successor === undefined) return false;
    this.#link = successor;
    this.alias = successor.alias;
    return true;
  }

  #leave(link: ServerLink): void {
    link.close();
    if (link.phase === Phase.JOINED) this.#around.subscriptions.connectionLost();
  }

  // ---------------------------------------------------------------------------------------------------------------- time

  #onNetwork(online: boolean, now: number): void {
    this.#link?.probe(now);
    if (!online) return;
    this.#patience.restore();
    this.#signalling.dialNow(now);
  }

  #onDeadline(now: number): void {
    const late = this.#signalling.tick(now);
    if (late) this.#onDialFailed(late, now);
    for (const link of this.#allLinks) link.tick(now);
    this.#moving.tick(now);
    const { renewAt } = this.#around.credentials;
    if (this.joined !== undefined && renewAt !== undefined && renewAt <= now) this.#signalling.askToken(now);
  }
}
