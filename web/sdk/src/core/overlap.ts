// Two links at once, while a client moves: what comes by both is delivered once, and in the order of the first.
//
// Every group of packets carries the stamp of the server that made it, whichever way it comes (docs/protocol.md, "Moving"). On the reliable
// channel groups of one origin come in the order of their serials, so the last one tells all; also after the former link is closed, since the
// other may bring late what that had brought. On the unreliable one nothing is in order: there each stamp is remembered for a while, and the
// first of two to come counts.
import type { TopicBatchMessage, TopicGroup } from "../gen/broker.ts";

/** Servers whose last serial is remembered: more than a cluster has, those that were restarted since included. */
export const MAX_ORIGINS = 1_024;
/** Groups of the unreliable channel that are remembered: some seconds of a busy client. */
export const MAX_STAMPS = 8_192;
/** Held back of the next link. It is what the present one has not brought yet, some milliseconds' worth; with more something is wrong. */
export const MAX_HELD_BYTES = 4 * 1024 * 1024;
// What a group takes in memory beyond its bodies, roughly.
const GROUP_OVERHEAD_BYTES = 256;

/** Which groups have come by the present link, and which by the one before. */
export class Seen {
  /** The last serial of each origin that came. */
  readonly #last = new Map<number, number>();
  /** The same by the link before, as far as the present one has not brought more of that origin. */
  #former = new Map<number, number>();
  #stamps: Set<string> | undefined;

  /** Whether a group that comes by the present link, or unreliably by the next one, comes for the first time; note that it came. */
  isNew({ origin, serial }: TopicGroup, reliable: boolean): boolean {
    if (origin === 0) return true; // an older server's
    if (!reliable) return this.#isNewStamp(`${origin} ${serial}`);
    if (serial <= (this.#former.get(origin) ?? 0)) return false;
    this.#former.delete(origin);
    this.#last.set(origin, serial);
    dropOldest(this.#last, MAX_ORIGINS);
    return true;
  }

  /** Whether a group of the reliable channel, that comes by the next link, has come by the present one. */
  has({ origin, serial }: TopicGroup): boolean {
    return serial > 0 && serial <= (this.#last.get(origin) ?? 0);
  }

  /** The next link is the present one from now on. */
  changeOver(): void {
    this.#former = new Map(this.#last);
  }

  #isNewStamp(stamp: string): boolean {
    const stamps = this.#stamps;
    if (stamps?.has(stamp)) return false;
    stamps?.add(stamp);
    if (stamps) dropOldest(stamps, MAX_STAMPS);
    return true;
  }

  /** From now on remember what comes by the unreliable channel: soon there are two of them. */
  remember(): void {
    this.#stamps ??= new Set();
  }

  /** There is one again, and has been for some time. */
  forget(): void {
    this.#stamps = undefined;
  }
}

/** Takes the packets of the next link until it is the present one. */
export class Held {
  #groups: TopicGroup[] = [];
  #bytes = 0;

  constructor(
    readonly seen: Seen,
    readonly deliver: (group: TopicGroup, reliable: boolean) => void,
  ) {}

  /** A TOPIC_BATCH came. */
  batch(message: TopicBatchMessage, reliable: boolean): void {
    for (const group of message.groups) {
      if (!reliable) this.deliver(group, reliable);
      else if (!this.seen.has(group)) this.#add(group);
    }
    if (!this.isOver) return;
    // Drop what has come by the present link meanwhile.
    const groups = this.#groups;
    this.#groups = [];
    this.#bytes = 0;
    for (const group of groups) if (!this.seen.has(group)) this.#add(group);
  }

  #add(group: TopicGroup): void {
    this.#groups.push(group);
    this.#bytes += group.body.reduce((sum, body) => sum + body.length, GROUP_OVERHEAD_BYTES);
  }

  /** The next link brings far more than the present one. */
  get isOver(): boolean {
    return this.#bytes > MAX_HELD_BYTES;
  }

  /** The present link has brought all it will: deliver the rest. */
  release(): void {
    this.seen.changeOver();
    const groups = this.#groups;
    this.#groups = [];
    for (const group of groups) this.deliver(group, true);
  }
}

function dropOldest(all: Map<number, number> | Set<string>, most: number): void {
  if (all.size <= most) return;
  const [oldest] = all.keys();
  (all as Set<unknown>).delete(oldest);
}
