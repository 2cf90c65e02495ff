// A move to another comm server without a loss: the next link is made, subscribed and known everywhere before the present one is left.
//
// Three steps after the join, each proven by an answer and not by time (docs/design.md, "Moving without a loss"):
//
// 1. SUBSCRIPTION and SYNC to the next server; what it brings is held back. Its SYNCED: every server sends it what we want.
// 2. SYNC to the present server, after the last that was published there. Its SYNCED: whatever does not come by the next server has come by this
//    one, and what was published is on its way to everyone.
// 3. The next link takes over: what was held back is delivered but for what has come already, and what is published goes there.
//
// Until the third step nothing is lost by giving up: the present link goes on as it was.
import { Code } from "../gen/constants.ts";
import { Backoff } from "./backoff.ts";
import { Held } from "./overlap.ts";
import { Phase, type ServerLink, type Surroundings } from "./serverLink.ts";

/** A server answers within about two seconds, also where one of the others is dead. */
export const SYNC_TIMEOUT = 5;
/** After a move, in seconds: what the other link has brought unreliably may come again for so long, and hardly does. */
export const REMEMBERED = 2;

/**
 * How far a move is: another server is looked for, or joined; its SYNCED is awaited; the present server's is.
 */
type Step = "none" | "joining" | "syncing" | "parting";

/** The moves of one client, of which there is one at most at a time, over as many tries as it takes. */
export class Moving {
  /** The link that is to take over; undefined while there is no server to try. */
  next: ServerLink | undefined;
  readonly #pauses: Backoff;
  #present: ServerLink | undefined;
  #step: Step = "none";
  #lateAt = 0;
  #forgetAt: number | undefined;

  constructor(readonly around: Surroundings) {
    this.#pauses = new Backoff(around.options.backoffBase, around.options.backoffCap, around.random);
  }

  // ----------------------------------------------------------------------------------------------------- how far it is

  get isUnderWay(): boolean {
    return this.#step !== "none";
  }

  /** Whether another server is wanted, and none being tried. */
  get isSeeking(): boolean {
    return this.isUnderWay && this.next === undefined;
  }

  /** The last has been published on the present link, and nothing may be on the next one yet. */
  get isParting(): boolean {
    return this.#step === "parting";
  }

  get #isOverlapping(): boolean {
    return this.#step === "syncing" || this.#step === "parting";
  }

  /** When to look again. */
  get deadline(): number | undefined {
    return this.#isOverlapping ? this.#lateAt : this.#forgetAt;
  }

  /** Seconds until a fresh list of servers is asked for, none of the last being of use. */
  pause(): number {
    return this.#pauses.next();
  }

  // ----------------------------------------------------------------------------------------------------------- the steps

  /** The server of `present` wants us to go. */
  begin(present: ServerLink): void {
    this.#present = present;
    this.#step = "joining";
    this.#forgetAt = undefined;
    this.around.delivery.seen.remember();
  }

  /** What takes the packets of a link that is tried now; undefined where they are to be delivered. */
  holding(): Held | undefined {
    const { delivery } = this.around;
    return this.isUnderWay ? new Held(delivery.seen, (group, reliable) => delivery.group(group, reliable)) : undefined;
  }

  /** Whether the next link has ended: then it is forgotten, and the present one goes on as before. */
  nextHasFailed(): boolean {
    if (this.next?.end === undefined) return false;
    this.#dropNext();
    this.#step = "joining";
    return true;
  }

  /** Take the next step if its time has come. Returns the link that has taken over, if that is it. */
  advance(now: number): ServerLink | undefined {
    const link = this.next;
    const present = this.#present;
    if (link?.phase !== Phase.JOINED || present === undefined) return undefined;
    if (this.#step === "joining" && link.syncs) {
      // Both servers have the set now, so it must stay as it is.
      present.subscriptionsChanged();
      present.freeze(true);
      link.mirror();
      this.#wait("syncing", now);
    } else if (this.#step === "syncing") {
      if (!link.isSynced) return undefined;
      this.around.emit({ kind: "flushReliable" });
      present.sync();
      this.#wait("parting", now);
    } else if (this.#step === "joining" || present.isSynced || now >= this.#lateAt) {
      // Of an older server nothing can be asked; and one that does not answer is gone, and with it what it still had.
      return this.#takeOver(link, present, now);
    }
    return undefined;
  }

  #wait(step: Step, now: number): void {
    this.#step = step;
    this.#lateAt = now + SYNC_TIMEOUT;
  }

  #takeOver(link: ServerLink, present: ServerLink, now: number): ServerLink {
    const { stats, subscriptions, emit } = this.around;
    present.close();
    this.#end(now);
    if (!link.syncs) subscriptions.connectionLost();
    link.takeOver(link.syncs);
    this.#pauses.reset();
    stats.joins += 1;
    stats.moves += 1;
    emit({ kind: "moved" });
    link.subscriptionsChanged();
    return link;
  }

  /** The present link is lost, and the move over. Returns the next one, as far as it is, if there is one. */
  promote(now: number): ServerLink | undefined {
    const link = this.next;
    if (link === undefined || link.end !== undefined) {
      this.giveUp();
      return undefined;
    }
    this.#end(now);
    link.takeOver(false);
    return link;
  }

  /** Stay with the present link, or with none. */
  giveUp(): void {
    this.#dropNext();
    if (!this.isUnderWay) return;
    this.#step = "none";
    this.#present = undefined;
    this.#forgetAt = 0;
  }

  /** Look at the deadlines. */
  tick(now: number): void {
    if (this.#step === "syncing" && now >= this.#lateAt) this.next?.fail(Code.TIMEOUT, "no SYNCED in time");
    if (this.#forgetAt === undefined || now < this.#forgetAt) return;
    this.#forgetAt = undefined;
    this.around.delivery.seen.forget();
  }

  #end(now: number): void {
    this.#step = "none";
    this.#present = this.next = undefined;
    this.#forgetAt = now + REMEMBERED;
  }

  #dropNext(): void {
    this.next?.close();
    this.next = undefined;
    this.#present?.freeze(false);
    if (this.isParting) this.around.emit({ kind: "moved" });
  }
}
