// What a call is told (events) and what it wants done (outputs): the whole border between core and io.
//
// Peer connections are numbered by the call, and so are requests; what comes of an older connection says nothing any more.

import type { Fields } from "./json.ts";
import type { Candidate, Description } from "./messages.ts";
import type { PeerConfig } from "./params.ts";
import type { State } from "./states.ts";

/** As RTCPeerConnection's connectionState has it, as far as it matters. */
export type PathState = "connected" | "disconnected" | "failed";

export type Event =
  /** The person wants to be in the room; camera and microphone are as they are to be. */
  | { kind: "enter" }
  | { kind: "hangUp" }
  /** The page goes away: what is to be done has to be done at once. */
  | { kind: "pageGone" }
  /** Every request is answered; status 0: it was not, within its time. */
  | { kind: "answered"; number: number; status: number; body: string }
  | { kind: "socketOpened" }
  | { kind: "socketFrame"; frame: string }
  /** The socket never opened, or closed; not after `closeSocket`. */
  | { kind: "socketLost" }
  /** The connection has a description of its own, an offer or an answer as it was asked for. */
  | { kind: "described"; peer: number; sdp: string }
  | { kind: "localCandidate"; peer: number; candidate: Candidate }
  | { kind: "pathChanged"; peer: number; state: PathState }
  /** The connection could not be made, or did not take a description. */
  | { kind: "peerRefused"; peer: number; reason: string }
  | { kind: "deadline" };

export type Output =
  /** Answer with `answered`, within these seconds; not where the number is 0. Urgent: it must survive the page. */
  | { kind: "request"; number: number; method: "POST" | "DELETE"; url: string; body: string; seconds: number; urgent: boolean }
  | { kind: "openSocket"; url: string }
  | { kind: "sendFrame"; frame: string }
  | { kind: "closeSocket" }
  /** Make a connection that carries camera and microphone. */
  | { kind: "openPeer"; peer: number; config: PeerConfig }
  | { kind: "offer"; peer: number; options: Fields }
  /** Take the other's description, and answer where it is an offer. */
  | { kind: "accept"; peer: number; description: Description }
  | { kind: "addCandidate"; peer: number; candidate: Candidate }
  | { kind: "closePeer"; peer: number }
  /** Be the other person of a loopback call: register with this frame at the message server, and send back what comes. */
  | { kind: "openEcho"; url: string; frame: string }
  | { kind: "closeEcho" }
  | { kind: "stateChanged"; state: State }
  /** Whether the servers can be reached. A call that stands does not need them. */
  | { kind: "reachable"; isReachable: boolean };

export type Emit = (output: Output) => void;
