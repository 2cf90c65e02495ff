// What the client is subscribed to: topics with a count of their holders, and which version of the set the server has in force.
//
// The wire knows one set per client, the application any number of subscriptions that may share topics. Here the one is made of the many,
// and each version of the set that is sent is followed until the server has acknowledged it.
//
// Versions count up over the whole life of a client, never again from the start on a new connection: whoever waits for version 7 is served
// by the acknowledgement of version 8, which holds everything of 7 that is still wanted.

interface Topic {
  holders: number;
  /** First version that held it. */
  since: number;
  /** The server has it in force on the present connection. */
  acknowledged: boolean;
  /** The code with which the server refused it on the present connection. */
  refused: number | undefined;
}

/** The whole set of one client. */
export class SubscriptionSet {
  readonly #topics = new Map<string, Topic>();
  readonly #letGo = new Set<string>();
  #unsettled = new Set<string>();
  #sent = 0;
  #settled = 0;
  /** The last version of the connection before this one: nobody can have it in force any more. */
  #lost = 0;
  #changed = false;

  // ------------------------------------------------------------------------------------------------- what the client wants

  /** Count one more holder for each of `topics`. */
  hold(topics: Iterable<string>): void {
    for (const name of topics) {
      const topic = this.#topics.get(name);
      if (topic === undefined) {
        this.#topics.set(name, { holders: 1, since: this.#sent + 1, acknowledged: false, refused: undefined });
        this.#unsettled.add(name);
        this.#changed = true;
      } else {
        topic.holders += 1;
        this.#letGo.delete(name);
      }
    }
  }

  /** Count one holder less for each of `topics`, which must be held. */
  release(topics: Iterable<string>): void {
    for (const name of topics) {
      const topic = this.#topics.get(name);
      if (topic === undefined || topic.holders === 0) throw new Error(`nobody holds ${name}`);
      topic.holders -= 1;
      // Kept until the next version is made: a topic that another subscription takes over in this turn stays in force.
      if (topic.holders === 0) this.#letGo.add(name);
    }
  }

  /** The version that will hold every change made so far. */
  get awaitedVersion(): number {
    return this.changed ? this.#sent + 1 : this.#sent;
  }

  /** Whether the set differs from the last version made. */
  get changed(): boolean {
    return this.#changed || this.#letGo.size > 0;
  }

  // ------------------------------------------------------------------------------------------------- what the server has

  /** The newest version that the server acknowledged; what was asked for up to it is in force or refused. */
  get settledVersion(): number {
    return this.#settled;
  }

  /** Whether a server that knows nothing of us has to be told: there are topics, or somebody waits for an acknowledgement. */
  get outstanding(): boolean {
    return this.changed || this.#topics.size > 0 || this.#settled < this.#sent;
  }

  /** The last version that was made: its number and the whole set. */
  present(): [number, string[]] {
    return [this.#sent, [...this.#topics.keys()]];
  }

  /** Make the next version to be sent: its number and the whole set. */
  nextVersion(): [number, string[]] {
    for (const name of this.#letGo) {
      this.#topics.delete(name);
      this.#unsettled.delete(name);
    }
    this.#letGo.clear();
    this.#changed = false;
    this.#sent += 1;
    return [this.#sent, [...this.#topics.keys()]];
  }

  /**
   * The server has `version` in force, without the topics of `refused` (with their codes). Returns those refused only now.
   *
   * A version that was never sent on this connection, or an older one than was acknowledged already, changes nothing. The same one again may
   * take topics back that were in force: the token was renewed with fewer grants.
   */
  acknowledge(version: number, refused: ReadonlyMap<string, number>): Map<string, number> {
    const news = new Map<string, number>();
    if (version > this.#sent || version < Math.max(this.#settled, this.#lost + 1)) return news;
    this.#settled = version;
    for (const name of [...this.#unsettled]) {
      const topic = this.#topics.get(name);
      if (topic === undefined || topic.since > version) continue;
      const code = refused.get(name);
      if (code === undefined) {
        this.#unsettled.delete(name);
        topic.acknowledged = true;
        topic.refused = undefined;
      } else if (topic.refused === undefined) {
        topic.refused = code; // stays unsettled: a later version may find it allowed, when there were too many topics, say
        news.set(name, code);
      }
    }
    this.#withdraw(refused, news);
    return news;
  }

  #withdraw(refused: ReadonlyMap<string, number>, news: Map<string, number>): void {
    for (const [name, code] of refused) {
      const topic = this.#topics.get(name);
      if (!topic?.acknowledged) continue;
      topic.acknowledged = false;
      topic.refused = code;
      this.#unsettled.add(name);
      news.set(name, code);
    }
  }

  /** Nothing is in force any more, and what was refused may be tried anew: the next server gets the whole set. */
  connectionLost(): void {
    for (const topic of this.#topics.values()) {
      topic.acknowledged = false;
      topic.refused = undefined;
    }
    this.#lost = this.#sent;
    this.#unsettled = new Set(this.#topics.keys());
  }

  /** Whether `name` is in force on the present connection. */
  isAcknowledged(name: string): boolean {
    return this.#topics.get(name)?.acknowledged ?? false;
  }

  /** Those of `topics` that the server refuses, with the code. */
  refused(topics: Iterable<string>): Map<string, number> {
    const codes = new Map<string, number>();
    for (const name of topics) {
      const code = this.#topics.get(name)?.refused;
      if (code !== undefined) codes.set(name, code);
    }
    return codes;
  }
}
