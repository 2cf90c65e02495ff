// The states of a client as data: the table of what may follow what, and one setter.

/**
 * Where a client is in its life: `new` (made, not yet asked to connect), `connecting` (on the way to its first connection), `connected`
 * (joined to a comm server: packets flow), `reconnecting` (was connected, lost it, and is on its way to the next connection; subscriptions
 * are kept), `closed` (the end: closed by the application, or told not to come back).
 */
export type ClientState = "new" | "connecting" | "connected" | "reconnecting" | "closed";

export const TRANSITIONS: Readonly<Record<ClientState, readonly ClientState[]>> = {
  new: ["connecting", "closed"],
  connecting: ["connected", "closed"],
  connected: ["reconnecting", "closed"],
  reconnecting: ["connected", "closed"],
  closed: [],
};

/** Holds the state of one client; `to` is the only way to change it. */
export class Lifecycle {
  state: ClientState = "new";

  /** Change the state; false where it is that state already. Throws for a change outside the table: a fault of ours. */
  to(state: ClientState): boolean {
    if (state === this.state) return false;
    if (!TRANSITIONS[this.state].includes(state)) throw new Error(`a client cannot go from ${this.state} to ${state}`);
    this.state = state;
    return true;
  }
}
