// What two clients say to each other, and the frames of the message server (Collider) in which it travels.
import { fields, parse, text } from "./json.ts";

/** An ICE candidate with the names AppRTC has for its parts. */
export interface Candidate {
  /** Index of the media section. */
  readonly label: number;
  /** Its `mid`. */
  readonly id: string;
  /** From "candidate:" on. */
  readonly candidate: string;
}

export interface Description {
  readonly type: "offer" | "answer";
  readonly sdp: string;
}

export type Message = Description | ({ readonly type: "candidate" } & Candidate) | { readonly type: "bye" };

export const BYE = '{"type":"bye"}';

export function describe({ type, sdp }: Description): string {
  return JSON.stringify({ type, sdp });
}

export function tellCandidate({ label, id, candidate }: Candidate): string {
  return JSON.stringify({ type: "candidate", label, id, candidate });
}

/** What the other said; undefined for what means nothing to a browser, such as Android's "remove-candidates". */
export function decodeMessage(said: string): Message | undefined {
  const message = fields(parse(said));
  switch (message.type) {
    case "offer":
    case "answer":
      return typeof message.sdp === "string" ? { type: message.type, sdp: message.sdp } : undefined;
    case "candidate": {
      const { label, id, candidate } = message;
      // An empty candidate only says that there are no more.
      if (typeof candidate !== "string" || candidate === "" || !Number.isInteger(label)) return undefined;
      return { type: "candidate", label: label as number, id: text(id), candidate };
    }
    case "bye":
      return { type: "bye" };
    default:
      return undefined;
  }
}

export function registerFrame(room: string, client: string): string {
  return JSON.stringify({ cmd: "register", roomid: room, clientid: client });
}

/** As the other person of a loopback call. */
export function registerEchoFrame(room: string): string {
  return registerFrame(room, "LOOPBACK_CLIENT_ID");
}

export function sendFrame(message: string): string {
  return JSON.stringify({ cmd: "send", msg: message });
}

/** What came from the other; undefined for the server's own complaints, after most of which it closes the socket. */
export function decodeFrame(frame: string): string | undefined {
  return text(fields(parse(frame)).msg) || undefined;
}

/** Tells one session from another: the session id of the origin line (RFC 8866 section 5.2), which a connection keeps for life. */
export function sessionOf(sdp: string): string {
  return /^o=\S+ (\S+)/m.exec(sdp)?.[1] ?? "";
}
