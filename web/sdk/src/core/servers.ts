// Which comm server to try next: the coordinator's list in its order, each once a round.

/** The servers of the last WELCOME, and those not yet tried in this round. */
export class ServerList {
  #known: number[] = [];
  #left: number[] = [];
  #isFresh = false;

  /** Take a WELCOME's list, the chosen server first, and begin a round with it. */
  refresh(servers: Iterable<number>): void {
    this.#known = [...new Set(servers)].filter((server) => server !== 0);
    this.#left = [...this.#known];
    this.#isFresh = true;
  }

  /** Begin a round after a server was lost: with it `first`, because it asked us to come again, or `without` it. */
  restart({ first = 0, without = 0 }: { first?: number; without?: number }): void {
    this.#left = this.#known.filter((server) => server !== first && server !== without);
    if (this.#known.includes(first)) this.#left.unshift(first);
    this.#isFresh = false;
  }

  /** Whether there is more to try should the present server not do: in this round, or else in a newer list than it goes by. */
  get hasMore(): boolean {
    return this.#left.length > 0 || !this.#isFresh;
  }

  /** The next server of the round; undefined when all were tried. */
  next(): number | undefined {
    return this.#left.shift();
  }
}
