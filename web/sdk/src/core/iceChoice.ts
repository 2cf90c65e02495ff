// Which STUN and TURN servers a new link uses: the application's own, or those the coordinator gave, while their credentials hold.
//
// The coordinator replaces credentials on a living socket long before they end, and a link cannot be made without that socket: so none that
// have ended should ever be found here. If they are, because the page was frozen, say, they are left out; the next socket brings new ones.
import type { IceServer } from "./options.ts";
import type { IceGrant } from "./signals.ts";

// Share of their life for which credentials are used: the rest is for the way to the TURN server, and for its clock.
const USABLE = 0.9;

/** The ICE servers of one client's links. */
export class IceChoice {
  #granted: readonly IceServer[] = [];
  #endsAt = Number.POSITIVE_INFINITY;

  /** @param own the application's: even where that is none at all they count, and the coordinator's do not */
  constructor(readonly own: readonly IceServer[] | null) {}

  /** The coordinator gave these, in place of all it gave before. */
  granted({ servers, lifetime }: IceGrant, now: number): void {
    this.#granted = servers;
    this.#endsAt = now + lifetime * USABLE;
  }

  /** For a link that is made now. */
  servers(now: number): readonly IceServer[] {
    if (this.own) return this.own;
    return now < this.#endsAt ? this.#granted : this.#granted.filter(({ credential }) => !credential);
  }
}
