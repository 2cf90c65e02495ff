// What the session is told (events) and what it wants done (outputs): the whole border between core and io.
//
// Links are numbered by the session, from its first CONNECT on; an event of a link that it has closed says nothing.
import type { RtcBrokerError } from "./errors.ts";
import type { IceServer } from "./options.ts";
import type { CandidateInit } from "./signals.ts";
import type { ClientState } from "./states.ts";

export type LinkEvent =
  /** The transport made an answer to the offer. */
  | { kind: "answered"; link: number; sdp: string }
  /** The transport could not answer the offer. */
  | { kind: "linkRefused"; link: number; code: number; reason: string }
  /** The transport found a candidate; null ends them. */
  | { kind: "localCandidate"; link: number; candidate: CandidateInit | null }
  /** A way to the server was found (ICE); the channels take a moment more. */
  | { kind: "linkReached"; link: number }
  /** Both channels are open; `maxMessageBytes` is what the session descriptions allow. */
  | { kind: "linkOpened"; link: number; maxMessageBytes: number }
  /** The transport has heard nothing for some seconds. */
  | { kind: "linkDoubtful"; link: number }
  | { kind: "linkEnded"; link: number; reason: string }
  /** A subscription set was gzipped; null where that could not be. */
  | { kind: "compressed"; link: number; data: Uint8Array | null };

export type Event =
  | { kind: "start" }
  /** Come to an end, by the application's wish (no cause) or because it gave up waiting. */
  | { kind: "stop"; cause?: RtcBrokerError }
  /** The application is about to leave: what is published now goes by the present link, wherever the client was moving. */
  | { kind: "stay" }
  | { kind: "token"; token: string }
  | { kind: "tokenFailed"; reason: string }
  | { kind: "socketOpened" }
  | { kind: "signal"; frame: Uint8Array }
  /** The WebSocket never opened, or closed; not after `hangUp`. */
  | { kind: "socketEnded"; code: number; reason: string }
  /** The turn in which subscriptions changed has ended. */
  | { kind: "subscriptionsChanged" }
  /** The page's network came back, went, or the page woke up: what was concluded before may be wrong. */
  | { kind: "networkChanged"; online: boolean }
  | { kind: "deadline" }
  | LinkEvent;

export type Output =
  /** Call the application's function for a token. */
  | { kind: "askToken" }
  /** Open the WebSocket at `url`; `alias` and `resume` ask for the old alias back (0: there is none). */
  | { kind: "dial"; url: string; alias: number; resume: string; token: string }
  /** Close the WebSocket, or stop dialing; no event of it may follow. */
  | { kind: "hangUp" }
  | { kind: "sendSignal"; frame: Uint8Array }
  | { kind: "answerOffer"; link: number; sdp: string; iceServers: readonly IceServer[] }
  /** Give the transport a candidate of the server; null ends them. Only after `answered`. */
  | { kind: "addCandidate"; link: number; candidate: CandidateInit | null }
  | { kind: "closeLink"; link: number }
  | { kind: "sendPacket"; link: number; data: Uint8Array; reliable: boolean }
  /** Send what was published reliably on the joined link; what is published from now on is held back until `moved`. */
  | { kind: "flushReliable" }
  /** Another link is the joined one, or the present one stays it after all: what was held back may be sent. */
  | { kind: "moved" }
  /** Gzip this and answer with `compressed`. */
  | { kind: "compress"; link: number; data: Uint8Array }
  | { kind: "stateChanged"; state: ClientState; cause?: RtcBrokerError }
  /** The settled version of the subscriptions has grown. */
  | { kind: "settled" }
  | { kind: "pingEchoed"; number: number; seconds: number }
  /** Tell the application what was refused, or failed, while the client goes on. */
  | { kind: "refused"; error: RtcBrokerError };

export type Emit = (output: Output) => void;
