// Candidates that come before they can be used: theirs before there is a link to give them to, ours before the answer has gone out.
//
// Trickled candidates take any order (RFC 8838), but an old server adds one only once it has our answer, and a browser once the offer is
// applied.
import { MAX_CANDIDATES } from "../gen/constants.ts";
import type { Emit, Output } from "./events.ts";
import { DecodeError } from "./packets.ts";
import { type CandidateInit, candidate, END_OF_CANDIDATES, readCandidate } from "./signals.ts";

/** The candidates of one link, both ways; at most MAX_CANDIDATES each way. */
export class Trickle {
  #isOpen = false;
  #waiting: Output[] = [];
  #received = 0;
  #found = 0;

  constructor(
    readonly link: number,
    readonly server: number,
    readonly emit: Emit,
  ) {}

  /** WEBRTC_ICE_CANDIDATE came; one that is none, or one too many, is dropped. False for one that is none. */
  received(data: Uint8Array): boolean {
    this.#received += 1;
    if (this.#received > MAX_CANDIDATES) return true;
    try {
      const init = readCandidate(data);
      this.#pass({ kind: "addCandidate", link: this.link, candidate: init.candidate ? init : null });
    } catch (error) {
      if (error instanceof DecodeError) return false;
      throw error;
    }
    return true;
  }

  /** The transport found a candidate of ours; null ends them. */
  found(init: CandidateInit | null): void {
    this.#found += 1;
    if (this.#found <= MAX_CANDIDATES)
      this.#pass({ kind: "sendSignal", frame: candidate(this.server, init ?? END_OF_CANDIDATES) });
  }

  /** The answer is made and on its way: what waited may follow. */
  open(): void {
    this.#isOpen = true;
    for (const output of this.#waiting) this.emit(output);
    this.#waiting = [];
  }

  #pass(output: Output): void {
    if (this.#isOpen) this.emit(output);
    else this.#waiting.push(output);
  }
}
