// The WebSocket to the coordinator: dialed once, ended once.
import type { Event } from "../core/events.ts";
import { Code } from "../gen/constants.ts";
import type { Platform } from "./platform.ts";

/** Bytes waiting for the socket. A join sends a few thousand; more than this waits where the coordinator does not read. */
const MAX_WAITING_BYTES = 256 * 1024;

const NORMAL_CLOSURE = 1000;
/** What a browser says of a connection that never came about or broke (RFC 6455 section 7.1.5). */
const ABNORMAL_CLOSURE = 1006;
/** All that a page can know of that. */
const unreachable = (host: string) =>
  `no connection to the coordinator: ${host} is not there, or this page's origin is not among its --allowed-origins`;

/** One dial, and the socket if it comes to that. Reports by events until `hangUp`; `socketEnded` is the last. */
export class CoordinatorSocket {
  #socket: WebSocket | undefined;
  #report: ((event: Event) => void) | undefined;

  constructor(platform: Platform, url: string, report: (event: Event) => void) {
    this.#report = report;
    const { host } = new URL(url); // and no more in what is told: the query has the token
    try {
      this.#socket = platform.webSocket(url);
    } catch (error) {
      // A page of https may not dial ws.
      this.#end(Code.LINK_LOST, `${host}: ${String(error).replaceAll(url, host)}`);
      return;
    }
    const socket = this.#socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#report?.({ kind: "socketOpened" });
    socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) this.#report?.({ kind: "signal", frame: new Uint8Array(data) });
    };
    socket.onclose = ({ code, reason }) => {
      if (code === ABNORMAL_CLOSURE) this.#end(Code.LINK_LOST, unreachable(host));
      else this.#end(code, reason);
    };
  }

  /** Send a frame after those before it. A socket that takes no more ends. */
  send(frame: Uint8Array): void {
    const socket = this.#socket;
    if (socket?.readyState !== 1) return; // it has ended, and soon says so
    if (socket.bufferedAmount > MAX_WAITING_BYTES) this.#end(Code.SLOW_CONSUMER, "the coordinator does not read");
    else socket.send(frame as Uint8Array<ArrayBuffer>);
  }

  /** Close, or stop dialing; nothing is reported any more. */
  hangUp(): void {
    this.#report = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(NORMAL_CLOSURE);
  }

  #end(code: number, reason: string): void {
    const report = this.#report;
    this.hangUp();
    report?.({ kind: "socketEnded", code, reason });
  }
}
