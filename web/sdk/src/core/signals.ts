// Frames between client and coordinator, and the JSON inside offers, answers and candidates.
import {
  ConnectionRefusedMessage,
  ConnectionRefusedReason,
  ConnectMessage,
  CoordinatorMessage,
  type IceServer as IceServerMessage,
  IceServersMessage,
  MessageType,
  PeerGoneMessage,
  Role,
  WebRtcMessage,
  WelcomeMessage,
} from "../gen/broker.ts";
import { Code, MAX_SIGNAL_BYTES } from "../gen/constants.ts";
import type { IceServer } from "./options.ts";
import { DecodeError, parse } from "./packets.ts";
import { decodeText, encodeText } from "./text.ts";

/** RTCIceCandidateInit (W3C WebRTC section 4.8.1.1); an empty `candidate` ends the candidates. */
export interface CandidateInit {
  candidate: string;
  sdpMid: string | null;
  sdpMLineIndex: number | null;
  usernameFragment: string | null;
}

export const END_OF_CANDIDATES: CandidateInit = { candidate: "", sdpMid: "0", sdpMLineIndex: 0, usernameFragment: null };

/** STUN and TURN servers, and for how many seconds their credentials hold. */
export interface IceGrant {
  servers: IceServer[];
  lifetime: number;
}

/** What a coordinator sends to a client; `from` is the server it is about. */
export type Signal =
  | { kind: "welcome"; alias: number; servers: number[]; resume: string; ice: IceGrant }
  /** New credentials in place of those that end. */
  | { kind: "iceServers"; ice: IceGrant }
  | { kind: "offer" | "candidate"; from: number; data: Uint8Array }
  | { kind: "refused"; from: number; code: number }
  | { kind: "gone"; from: number };

/** Decode one frame; undefined for what says nothing to a client. Throws DecodeError. */
export function decodeSignal(frame: Uint8Array): Signal | undefined {
  if (frame.length > MAX_SIGNAL_BYTES) throw new DecodeError(`a frame of ${frame.length} bytes`);
  switch (parse(CoordinatorMessage, frame).type) {
    case MessageType.WELCOME: {
      const message = parse(WelcomeMessage, frame);
      const { alias, availableServers, resume } = message;
      return { kind: "welcome", alias, servers: availableServers, resume, ice: grantOf(message) };
    }
    case MessageType.ICE_SERVERS:
      return { kind: "iceServers", ice: grantOf(parse(IceServersMessage, frame)) };
    case MessageType.WEBRTC_OFFER: {
      const { fromAlias, data } = parse(WebRtcMessage, frame);
      return { kind: "offer", from: fromAlias, data };
    }
    case MessageType.WEBRTC_ICE_CANDIDATE: {
      const { fromAlias, data } = parse(WebRtcMessage, frame);
      return { kind: "candidate", from: fromAlias, data };
    }
    case MessageType.CONNECTION_REFUSED: {
      // An old server gives only a reason.
      const { fromAlias, code, reason } = parse(ConnectionRefusedMessage, frame);
      const known = reason === ConnectionRefusedReason.AUTH_FAILED ? Code.AUTH_FAILED : Code.SERVER_FULL;
      return { kind: "refused", from: fromAlias, code: code || known };
    }
    case MessageType.PEER_GONE:
      return { kind: "gone", from: parse(PeerGoneMessage, frame).alias };
    default:
      return undefined;
  }
}

// A browser throws at a URL it does not know: what a newer coordinator may send is passed over.
const ICE_URL = /^(stuns?:[^?]+|turns?:[^?]+(\?transport=(udp|tcp))?)$/;

function grantOf({ iceServers, iceLifetime }: { iceServers: IceServerMessage[]; iceLifetime: number }): IceGrant {
  const servers = iceServers.flatMap(({ urls, username, credential }) => {
    const known = urls.filter((url) => ICE_URL.test(url));
    if (known.length === 0) return [];
    return credential ? { urls: known, username, credential } : { urls: known };
  });
  return { servers, lifetime: iceLifetime || Number.POSITIVE_INFINITY };
}

/** CONNECT: asks a server for its offer. */
export function connect(server: number): Uint8Array {
  const coordinators = { fromAlias: 0, fromRole: Role.UNKNOWN_ROLE, requestId: "" };
  return ConnectMessage.encode({ type: MessageType.CONNECT, toAlias: server, ...coordinators }).finish();
}

/** WEBRTC_ANSWER with its JSON. */
export function answer(server: number, sdp: string): Uint8Array {
  return webRtc(MessageType.WEBRTC_ANSWER, server, { type: "answer", sdp });
}

/** WEBRTC_ICE_CANDIDATE with its JSON. */
export function candidate(server: number, init: CandidateInit): Uint8Array {
  return webRtc(MessageType.WEBRTC_ICE_CANDIDATE, server, init);
}

function webRtc(type: MessageType, server: number, value: object): Uint8Array {
  return WebRtcMessage.encode({ type, fromAlias: 0, toAlias: server, data: encodeText(JSON.stringify(value)) }).finish();
}

/** The SDP in the JSON of an offer. Throws DecodeError. */
export function readOffer(data: Uint8Array): string {
  const { type, sdp } = jsonObject(data, "offer");
  if (type !== "offer" || typeof sdp !== "string" || !sdp) throw new DecodeError("the offer is none");
  return sdp;
}

/** The candidate in its JSON; missing and null members are the same. Throws DecodeError. */
export function readCandidate(data: Uint8Array): CandidateInit {
  const init = jsonObject(data, "candidate");
  const text = (name: string) => {
    const value = init[name] ?? null;
    if (value !== null && typeof value !== "string") throw new DecodeError(`the candidate's ${name} is not a text`);
    return value;
  };
  const index = init.sdpMLineIndex ?? null;
  if (index !== null && !(Number.isInteger(index) && Number(index) >= 0 && Number(index) <= 0xffff))
    throw new DecodeError("the candidate's sdpMLineIndex is not a whole number");
  // pion sends empty texts for what it does not know; and a candidate that names no section is of the only one there is.
  const sdpMid = text("sdpMid") || null;
  const sdpMLineIndex = sdpMid === null && index === null ? 0 : (index as number | null);
  return { candidate: text("candidate") ?? "", sdpMid, sdpMLineIndex, usernameFragment: text("usernameFragment") || null };
}

function jsonObject(data: Uint8Array, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(decodeText(data));
  } catch {
    value = null;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new DecodeError(`the ${what} is not a JSON object`);
  return value as Record<string, unknown>;
}
