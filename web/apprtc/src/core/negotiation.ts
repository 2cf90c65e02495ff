// How two become connected: one offers, the other answers, candidates go both ways, and whoever finds the way lost begins anew.
//
// Each beginning is a new connection with a number of its own. The one who came first, or was left, is the initiator and offers; the other
// answers. After a loss both may take themselves for the initiator: then the smaller offer gives way, which both see alike.
import type { Emit } from "./events.ts";
import type { Fields } from "./json.ts";
import { type Candidate, type Description, describe, sessionOf, tellCandidate } from "./messages.ts";
import type { PeerConfig } from "./params.ts";

/** Candidates that may wait for the description they belong to. */
const MAX_HELD = 1024;

export interface NegotiationUser {
  /** A number for a new connection. */
  number(): number;
  /** To the other, after all that was said before. */
  say(message: string): void;
  /** Forget what was not said yet: it belongs to a connection that is no more. */
  unsay(): void;
}

export class Negotiation {
  isInitiator = false;
  readonly #emit: Emit;
  readonly #user: NegotiationUser;
  #config: PeerConfig = { iceServers: [] };
  #options: Fields = {};
  #peer = 0;
  #isOpen = false;
  /** Our own description, once there is one. */
  #own = "";
  /** The session of the other's description, once there is one. */
  #theirs: string | undefined;
  #heldOwn: Candidate[] = [];
  #heldTheirs: Candidate[] = [];

  constructor(emit: Emit, user: NegotiationUser) {
    this.#emit = emit;
    this.#user = user;
  }

  /** Whether the other has said who they are. */
  get isMet(): boolean {
    return this.#theirs !== undefined;
  }

  /** Whether this is the connection that counts. */
  isCurrent(peer: number): boolean {
    return this.#isOpen && peer === this.#peer;
  }

  configure(config: PeerConfig, options: Fields): void {
    this.#config = config;
    this.#options = options;
  }

  /** A new connection. */
  begin(isInitiator: boolean): void {
    this.end();
    this.isInitiator = isInitiator;
    this.#peer = this.#user.number();
    this.#isOpen = true;
    this.#emit({ kind: "openPeer", peer: this.#peer, config: this.#config });
    if (isInitiator) this.#emit({ kind: "offer", peer: this.#peer, options: this.#options });
  }

  end(): void {
    if (this.#isOpen) this.#emit({ kind: "closePeer", peer: this.#peer });
    this.#isOpen = false;
    this.#own = "";
    this.#theirs = undefined;
    this.#heldOwn = [];
    this.#heldTheirs = [];
    this.#user.unsay();
  }

  described(sdp: string): void {
    this.#own = sdp;
    this.#user.say(describe({ type: this.isInitiator ? "offer" : "answer", sdp }));
    for (const candidate of this.#heldOwn) this.#user.say(tellCandidate(candidate));
    this.#heldOwn = [];
  }

  localCandidate(candidate: Candidate): void {
    if (this.#own !== "") this.#user.say(tellCandidate(candidate));
    else if (this.#heldOwn.length < MAX_HELD) this.#heldOwn.push(candidate);
  }

  /** The other's offer; true when a connection begins with it: not where ours stands, nor where it changes the one there is. */
  offered(sdp: string): boolean {
    const isChange = !this.isInitiator && this.#theirs === sessionOf(sdp);
    if (this.isInitiator) {
      const isOursOut = this.#own !== "" && !this.isMet;
      if (isOursOut && this.#own >= sdp) return false;
      this.begin(false);
    } else if (this.isMet && !isChange) {
      this.begin(false);
    }
    this.#accept({ type: "offer", sdp });
    return !isChange;
  }

  /** The other's answer; true when a connection begins with it: not where none was awaited. */
  answered(sdp: string): boolean {
    if (!this.isInitiator || this.#own === "" || this.isMet) return false;
    this.#accept({ type: "answer", sdp });
    return true;
  }

  candidate({ label, id, candidate }: Candidate): void {
    const found = { label, id, candidate };
    if (this.isMet) this.#emit({ kind: "addCandidate", peer: this.#peer, candidate: found });
    else if (this.#heldTheirs.length < MAX_HELD) this.#heldTheirs.push(found);
  }

  #accept(description: Description): void {
    this.#theirs = sessionOf(description.sdp);
    this.#emit({ kind: "accept", peer: this.#peer, description });
    for (const candidate of this.#heldTheirs) this.#emit({ kind: "addCandidate", peer: this.#peer, candidate });
    this.#heldTheirs = [];
  }
}
