// The states of a call.

/** Why a room was not entered, or had to be left. */
export type Failure =
  /** No answer. */
  | "unreachable"
  /** The server wants to know who asks: a token is missing, wrong or over. */
  | "unauthorized"
  /** Too many requests from here. */
  | "busy"
  /** Any other answer that is none to a join. */
  | "refused";

/** Why nobody else is there: nobody has been yet, they have left, or the way to them was lost. */
export type Alone = "first" | "left" | "lost";

export type State =
  /** Not in the room, and not on the way. */
  | { readonly name: "outside" }
  | { readonly name: "joining" }
  | { readonly name: "waiting"; readonly why: Alone }
  /** The other is there, but nothing is heard yet. */
  | { readonly name: "connecting" }
  | { readonly name: "connected" }
  /** The way to the other is lost, perhaps for a moment. */
  | { readonly name: "interrupted" }
  | { readonly name: "full" }
  /** `detail` are the server's own words, if it had any. */
  | { readonly name: "failed"; readonly why: Failure; readonly detail: string }
  | { readonly name: "leaving" }
  | { readonly name: "left" };

export type StateName = State["name"];

/** In these there is a place in the room. */
const INSIDE: ReadonlySet<StateName> = new Set(["waiting", "connecting", "connected", "interrupted"]);

export function isInside({ name }: State): boolean {
  return INSIDE.has(name);
}
