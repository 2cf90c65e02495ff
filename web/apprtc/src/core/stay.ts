// A place in a room, from the answer to the join until it is given up: hearing, talking, and finding each other again.
//
// The initiator speaks through the room server, which keeps what is said until somebody comes; the other speaks through the message server,
// by its WebSocket or, while that is not open, by POST. Both listen at the message server. What the other said before we came is in the answer
// to our join, and is heard first, since the socket is opened later.
//
// Who is cut off says no bye, and servers forget whom they do not hear of, without telling anybody. So: who loses the other offers anew; whom
// the room server does not know, or who was away from the message server while alone, joins anew; and who hears nothing of the other after
// a join says bye, upon which they offer anew.
import { colliderUrl, leaveUrl, messageUrl, type Place } from "./addresses.ts";
import { pause } from "./backoff.ts";
import type { Emit, Event, PathState } from "./events.ts";
import { type IceServer, parseIceReply } from "./ice.ts";
import { judgeDelivery, judgeMessage } from "./judge.ts";
import { Line } from "./line.ts";
import { BYE, decodeFrame, decodeMessage, registerEchoFrame } from "./messages.ts";
import { Negotiation } from "./negotiation.ts";
import { Outbox, type Way } from "./outbox.ts";
import type { Membership } from "./params.ts";
import type { Answer, Requests } from "./requests.ts";
import type { Alone, State } from "./states.ts";

/** Messages that may come before the ICE servers do. */
const MAX_UNHEARD = 1024;
const ICE_PATIENCE_S = 5;
const LEAVE_PATIENCE_S = 3;
/** Who did not make the offer and lost the other waits so long for a new one before making it. */
const GRACE_S = 3;
/** Who joined as the second hears of the first at once, or something went wrong. */
const OFFER_PATIENCE_S = 10;

/** Why a place is worth nothing any more: the servers do not know it, may not know it, or do not take what we say. */
export type Loss = { readonly kind: "unknown" | "doubtful" } | { readonly kind: "refused"; readonly answer: Answer };

export interface StayParts {
  readonly place: Place;
  readonly member: Membership;
  readonly requests: Requests;
  readonly emit: Emit;
  /** In [0, 1). */
  readonly random: () => number;
  /** A number for a new connection. */
  readonly number: () => number;
  readonly tell: (state: State) => void;
  readonly lost: (loss: Loss, now: number) => void;
}

export class Stay {
  readonly #parts: StayParts;
  readonly #line: Line;
  readonly #outbox: Outbox;
  readonly #negotiation: Negotiation;
  /** What was heard while there was no connection to use it; undefined while there is one. */
  #unheard: string[] | undefined;
  /** Changes with each beginning and at the end: answers to what was asked before say nothing. */
  #turn = 0;
  #state: State;
  #restarts = 0;
  #restartAt: number | undefined;
  #promptAt: number | undefined;
  #hasPrompted = false;

  constructor(parts: StayParts) {
    const { requests, random, emit, number, lost, member } = parts;
    this.#parts = parts;
    this.#state = member.isInitiator ? { name: "waiting", why: "first" } : { name: "connecting" };
    this.#line = new Line(emit, random);
    this.#outbox = new Outbox(requests, random, {
      way: () => this.#way(),
      silenced: (kind, answer, now) => lost(kind === "refused" ? { kind, answer } : { kind }, now),
    });
    this.#negotiation = new Negotiation(emit, {
      number,
      say: (message) => this.#outbox.add(message),
      unsay: () => this.#outbox.clear(),
    });
  }

  get isReachable(): boolean {
    return !this.#line.isLost && !this.#outbox.isStuck;
  }

  get deadlines(): (number | undefined)[] {
    return [this.#line.deadline, this.#outbox.deadline, this.#restartAt, this.#promptAt];
  }

  start(now: number): void {
    const { place, member, emit } = this.#parts;
    this.#tell(this.#state);
    this.#line.start(member.socketUrl, place.room, member.client, now);
    if (member.isLoopback) emit({ kind: "openEcho", url: member.socketUrl, frame: registerEchoFrame(place.room) });
    this.#begin(member.isInitiator, member.messages, now);
  }

  /** Send what can be sent. */
  pump(now: number): void {
    this.#outbox.pump(now);
  }

  tick(now: number): void {
    this.#line.tick(now);
    if (isDue(this.#restartAt, now)) this.#startAnew("lost", now);
    if (isDue(this.#promptAt, now)) this.#prompt(now);
  }

  #tell(state: State): void {
    this.#state = state;
    this.#parts.tell(state);
  }

  /** Ask; the answer is taken only if nothing was begun or ended in between. */
  #ask(url: string, body: string, seconds: number, then: (answer: Answer, now: number) => void): void {
    const turn = this.#turn;
    const take = (answer: Answer, now: number) => {
      if (turn === this.#turn) then(answer, now);
    };
    this.#parts.requests.ask("POST", url, body, take, seconds);
  }

  // ---------------------------------------------------------------------------------------------------------- a connection

  /** Make one, once it is known by which ICE servers; their credentials do not last. */
  #begin(isInitiator: boolean, heard: readonly string[], now: number): void {
    const { iceUrl, iceTransport, config } = this.#parts.member;
    this.#turn += 1;
    this.#unheard = heard.slice(0, MAX_UNHEARD);
    // Servers that came with the answer to the join are enough.
    if (iceUrl === "" || config.iceServers.length > 0) {
      this.#beginWith(config.iceServers, isInitiator, now);
      return;
    }
    this.#ask(iceUrl, "", ICE_PATIENCE_S, (answer, then) => {
      const servers = answer.status === 200 ? parseIceReply(answer.body, iceTransport) : undefined;
      // Without any, two of one network still find each other.
      this.#beginWith(servers ?? [], isInitiator, then);
    });
  }

  #beginWith(iceServers: IceServer[], isInitiator: boolean, now: number): void {
    const { config, offerOptions } = this.#parts.member;
    this.#negotiation.configure({ ...config, iceServers }, offerOptions);
    this.#negotiation.begin(isInitiator);
    const unheard = this.#unheard ?? [];
    this.#unheard = undefined;
    for (const message of unheard) this.#receive(message, now);
    if (!this.#negotiation.isInitiator && !this.#negotiation.isMet) this.#promptAt = now + OFFER_PATIENCE_S;
  }

  /** As the one who is left in the room: the next to come gets a fresh offer. */
  #startAnew(why: Alone, now: number): void {
    this.#restartAt = this.#promptAt = undefined;
    this.#negotiation.end();
    this.#tell({ name: "waiting", why });
    this.#begin(true, [], now);
  }

  onPeer(event: Extract<Event, { peer: number }>, now: number): void {
    if (!this.#negotiation.isCurrent(event.peer)) return;
    switch (event.kind) {
      case "described":
        this.#negotiation.described(event.sdp);
        break;
      case "localCandidate":
        this.#negotiation.localCandidate(event.candidate);
        break;
      case "pathChanged":
        this.#onPath(event.state, now);
        break;
      case "peerRefused":
        this.#onPath("failed", now);
    }
  }

  #onPath(path: PathState, now: number): void {
    if (path === "connected") {
      this.#restarts = 0;
      this.#restartAt = undefined;
      this.#tell({ name: "connected" });
      return;
    }
    if (this.#state.name !== "interrupted") this.#tell({ name: "interrupted" });
    if (path === "disconnected") return; // it often comes back by itself
    this.#restartAt = now + pause(this.#restarts, this.#parts.random) + (this.#negotiation.isInitiator ? 0 : GRACE_S);
    this.#restarts += 1;
  }

  // --------------------------------------------------------------------------------------------------- talking and hearing

  /** How a message leaves now. */
  #way(): Way {
    const { place, member } = this.#parts;
    if (this.#negotiation.isInitiator) return { kind: "post", url: messageUrl(place, member.client), judge: judgeMessage };
    if (this.#line.isOpen) return { kind: "socket", send: (message) => this.#line.send(message) };
    return { kind: "post", url: this.#atCollider, judge: judgeDelivery };
  }

  onSocketOpened(now: number): void {
    const wasLost = this.#line.isLost;
    this.#line.opened(now);
    // Whether the room server still knows us cannot be asked; alone in the room there is nothing to lose by a new join.
    if (wasLost && this.#state.name === "waiting") this.#parts.lost({ kind: "doubtful" }, now);
  }

  onSocketLost(now: number): void {
    this.#line.lost(now);
  }

  onFrame(frame: string, now: number): void {
    const message = decodeFrame(frame);
    if (message !== undefined) this.#receive(message, now);
  }

  #receive(message: string, now: number): void {
    if (this.#unheard === undefined) this.#hear(message, now);
    else if (this.#unheard.length < MAX_UNHEARD) this.#unheard.push(message);
  }

  #hear(said: string, now: number): void {
    const message = decodeMessage(said);
    switch (message?.type) {
      case "bye":
        this.#restarts = 0;
        this.#startAnew("left", now);
        break;
      case "candidate":
        this.#negotiation.candidate(message);
        break;
      case "offer":
        if (this.#negotiation.offered(message.sdp)) this.#met();
        break;
      case "answer":
        if (this.#negotiation.answered(message.sdp)) this.#met();
    }
  }

  #met(): void {
    this.#restartAt = this.#promptAt = undefined;
    this.#tell({ name: "connecting" });
  }

  /** Nothing was heard of the other. A bye makes them offer anew, if they are there; if it does not, we are in a room by ourselves. */
  #prompt(now: number): void {
    this.#promptAt = undefined;
    if (this.#hasPrompted) {
      this.#parts.lost({ kind: "doubtful" }, now);
    } else {
      this.#hasPrompted = true;
      this.#promptAt = now + 2 * OFFER_PATIENCE_S;
      this.#outbox.add(BYE);
    }
  }

  // --------------------------------------------------------------------------------------------------------------- leaving

  get #atCollider(): string {
    const { place, member } = this.#parts;
    return colliderUrl(member.postUrl, place, member.client);
  }

  /** POST leave, then bye on the socket, then close it, then DELETE: nobody answers a bye before the room server knows that we left. */
  hangUp(done: () => void): void {
    this.#stopTalking();
    this.leave(() => {
      if (this.#line.isOpen) {
        this.#line.send(BYE);
        this.remove();
        done();
        return;
      }
      this.#ask(this.#atCollider, BYE, LEAVE_PATIENCE_S, () => {
        this.remove();
        done();
      });
    });
  }

  /** All that belongs to hanging up, without waiting for answers. */
  hangUpAtOnce(): void {
    const { place, member, requests } = this.#parts;
    this.#stopTalking();
    requests.tell("POST", leaveUrl(place, member.client));
    if (this.#line.isOpen) this.#line.send(BYE);
    else requests.tell("POST", this.#atCollider, BYE);
    this.remove();
  }

  /** Leave without a word, where nobody is to hear it. */
  leave(done: (now: number) => void): void {
    const { place, member } = this.#parts;
    this.#ask(leaveUrl(place, member.client), "", LEAVE_PATIENCE_S, (_, now) => done(now));
  }

  /** Nothing of the stay goes on; and the message server keeps no place, which the next to come may need. */
  remove(): void {
    const { member, emit, requests } = this.#parts;
    this.#stopTalking();
    this.#line.stop();
    if (member.isLoopback) emit({ kind: "closeEcho" });
    requests.tell("DELETE", this.#atCollider);
  }

  #stopTalking(): void {
    this.#turn += 1;
    this.#restartAt = this.#promptAt = undefined;
    this.#negotiation.end();
  }
}

function isDue(deadline: number | undefined, now: number): boolean {
  return deadline !== undefined && deadline <= now;
}
