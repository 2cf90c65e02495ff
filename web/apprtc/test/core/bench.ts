// A call on the bench: events by hand, and everything it wants done.
import { Call } from "../../src/core/call.ts";
import type { Event, Output } from "../../src/core/events.ts";

export const POST_URL = "http://c.test";

/** What a join reply has, but for the changes. */
export function joined(changes: Record<string, unknown> = {}): string {
  const params = {
    client_id: "7",
    is_initiator: "true",
    messages: [],
    wss_url: "ws://c.test/ws",
    wss_post_url: POST_URL,
    ice_server_url: "",
    ...changes,
  };
  return JSON.stringify({ result: "SUCCESS", params });
}

export class Bench {
  readonly call = new Call({ base: "http://r.test/", room: "room-1", query: "" }, () => 0.5);
  now = 100;

  feed(event: Event): Output[] {
    return this.call.handle(event, this.now);
  }

  /** As when a frame of the message server comes. */
  hear(message: object): Output[] {
    return this.feed({ kind: "socketFrame", frame: JSON.stringify({ msg: JSON.stringify(message), error: "" }) });
  }

  answer(request: Output | undefined, body = '{"result":"SUCCESS"}', status = 200): Output[] {
    if (request?.kind !== "request") throw new Error(`no request: ${JSON.stringify(request)}`);
    return this.feed({ kind: "answered", number: request.number, status, body });
  }

  /** Let time go by until what is awaited next. */
  wait(): Output[] {
    const deadline = this.call.nextDeadline();
    if (deadline === undefined) throw new Error("nothing is awaited");
    this.now = deadline;
    return this.feed({ kind: "deadline" });
  }

  /** In the room; the number of the connection is 1. */
  join(changes: Record<string, unknown> = {}): Output[] {
    const [, request] = this.feed({ kind: "enter" });
    return this.answer(request, joined(changes));
  }
}

export function kinds(outputs: readonly Output[]): string[] {
  return outputs.map((output) => (output.kind === "request" ? `${output.method} ${output.url}` : output.kind));
}

export function requests(outputs: readonly Output[]): Extract<Output, { kind: "request" }>[] {
  return outputs.filter((output) => output.kind === "request");
}

export function offer(session: string): { type: string; sdp: string } {
  return { type: "offer", sdp: `v=0\r\no=- ${session} 2 IN IP4 127.0.0.1\r\n` };
}

export function answer(session: string): { type: string; sdp: string } {
  return { ...offer(session), type: "answer" };
}

export function candidate(name: string): { type: string; label: number; id: string; candidate: string } {
  return { type: "candidate", label: 0, id: "0", candidate: `candidate:${name}` };
}
