/** What the page says of itself: in its title, beside its name, and in a banner when something is wrong. */

import type { Phase } from "./feed.ts";
import * as format from "./format.ts";
import type { ClusterState } from "./state.ts";
import type { TokenTrouble } from "./verdict.ts";

export interface Status {
  /** For the dot beside the word. */
  tone: "good" | "busy" | "bad" | "quiet";
  word: string;
}

/** A connection that was lost is lost until it is back, however often it is tried: the word does not flicker. */
export function statusOf(phase: Phase, before: Status): Status {
  switch (phase.kind) {
    case "live":
      return { tone: "good", word: "Live" };
    case "lost":
      return { tone: "bad", word: "Disconnected" };
    case "full":
      return { tone: "bad", word: "Too many viewers" };
    case "token":
      return { tone: "quiet", word: "Token wanted" };
    case "connecting":
      return before.tone === "bad" ? before : { tone: "busy", word: "Connecting" };
  }
}

/** The banner's sentence, "" for no banner. `now` in milliseconds, as the phase's times; `heard` of the last frame, 0 for none. */
export function bannerOf(phase: Phase, status: Status, heard: number, now: number): string {
  if (status.tone !== "bad") {
    return "";
  }
  const stale = heard > 0 ? ` Shown is how things stood ${format.duration((now - heard) / 1000)} ago.` : "";
  return `${troubleOf(phase, status)}${stale} ${nextTry(phase, now)}`;
}

function troubleOf(phase: Phase, status: Status): string {
  if (status.word === "Too many viewers") {
    return "As many dashboards as the coordinator allows are open already. Close one somewhere.";
  }
  const why = phase.kind === "lost" && phase.why !== "" ? `: ${phase.why}` : "";
  return `No connection to the coordinator${why}. Packets flow without it.`;
}

function nextTry(phase: Phase, now: number): string {
  if (phase.kind !== "lost" && phase.kind !== "full") {
    return "Trying now.";
  }
  return `Next try in ${format.duration(Math.ceil(Math.max(0, phase.retryAt - now) / 1000))}.`;
}

export function titleOf(status: Status, state: ClusterState): string {
  if (state.time === 0 || status.tone === "quiet") {
    return `${status.word} \u2013 rtcbroker`;
  }
  const clients = state.servers.reduce((sum, server) => sum + server.clients, 0);
  const figures = `${format.plural(clients, "client")} \u00b7 ${format.plural(state.servers.length, "server")}`;
  return `${status.tone === "bad" ? "(offline) " : ""}${figures} \u2013 rtcbroker`;
}

const TROUBLES: Record<TokenTrouble, string> = {
  wanted: "",
  refused: "The coordinator refused this token.",
  expired: "The token has expired. A new one is needed.",
  early: "The token is not valid yet.",
  role: "This token is valid, but its role is not ADMIN.",
};

/** What was wrong with the token, "" when there was none. */
export function tokenTrouble(trouble: TokenTrouble): string {
  return TROUBLES[trouble];
}

/** What can be seen to be no token without asking anybody; "" when it may be one. */
export function tokenProblem(text: string): string {
  if (text.trim() === "") {
    return "Paste a token first.";
  }
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text.trim()) ? "" : "This is no token: tokens have three parts with dots between them.";
}
