// Does what the call wants done, and tells it what comes of it: change state, do all outputs, then change state again.
import type { Call } from "../core/call.ts";
import type { Event, Output } from "../core/events.ts";
import type { State } from "../core/states.ts";
import { Echo } from "./echo.ts";
import { Peer } from "./peer.ts";
import type { Platform, Timer } from "./platform.ts";

export interface DriverUser {
  /** Camera and microphone, to be put on a new connection. */
  stream(): MediaStream | undefined;
  stateChanged(state: State): void;
  reachable(isReachable: boolean): void;
  /** A track of the other person. */
  track(track: MediaStreamTrack): void;
  /** The other person's tracks have ended. */
  peerClosed(): void;
}

export class Driver {
  readonly #platform: Platform;
  readonly #call: Call;
  readonly #user: DriverUser;
  #socket: WebSocket | undefined;
  #peer: Peer | undefined;
  #echo: Echo | undefined;
  #timer: Timer;
  readonly #events: Event[] = [];
  #isBusy = false;

  constructor(platform: Platform, call: Call, user: DriverUser) {
    this.#platform = platform;
    this.#call = call;
    this.#user = user;
  }

  /** Tell the call what happened. What happens while it is at work comes afterwards. */
  feed(event: Event): void {
    this.#events.push(event);
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      for (let next = this.#events.shift(); next; next = this.#events.shift()) {
        for (const output of this.#call.handle(next, this.#platform.now())) this.#do(output);
      }
    } finally {
      this.#isBusy = false;
    }
    this.#setTimer();
  }

  #setTimer(): void {
    this.#platform.clearTimer(this.#timer);
    const deadline = this.#call.nextDeadline();
    if (deadline === undefined) return;
    const seconds = Math.max(0, deadline - this.#platform.now());
    this.#timer = this.#platform.setTimer(() => this.feed({ kind: "deadline" }), seconds);
  }

  #do(output: Output): void {
    switch (output.kind) {
      case "request":
        void this.#request(output);
        break;
      case "openSocket":
        this.#open(output.url);
        break;
      case "sendFrame":
        if (this.#socket && this.#socket.readyState === this.#socket.OPEN) this.#socket.send(output.frame);
        break;
      case "closeSocket":
        this.#closeSocket();
        break;
      case "openPeer":
        this.#openPeer(output);
        break;
      case "offer":
        this.#peerOf(output.peer)?.offer(output.options);
        break;
      case "accept":
        this.#peerOf(output.peer)?.accept(output.description);
        break;
      case "addCandidate":
        this.#peerOf(output.peer)?.addCandidate(output.candidate);
        break;
      case "closePeer":
        this.#peerOf(output.peer)?.close();
        this.#peer = undefined;
        this.#user.peerClosed();
        break;
      case "openEcho":
        this.#echo = new Echo(this.#platform, output.url, output.frame);
        break;
      case "closeEcho":
        this.#echo?.close();
        this.#echo = undefined;
        break;
      case "stateChanged":
        this.#user.stateChanged(output.state);
        break;
      case "reachable":
        this.#user.reachable(output.isReachable);
    }
  }

  async #request({ number, method, url, body, seconds, urgent }: Extract<Output, { kind: "request" }>): Promise<void> {
    const answer = await this.#platform.request(method, url, body, seconds, urgent);
    if (number > 0) this.feed({ kind: "answered", number, ...answer });
  }

  #open(url: string): void {
    let socket: WebSocket;
    try {
      socket = this.#platform.webSocket(url);
    } catch {
      this.feed({ kind: "socketLost" }); // the server gave an address that is none
      return;
    }
    this.#socket = socket;
    socket.onopen = () => this.feed({ kind: "socketOpened" });
    socket.onmessage = ({ data }) => this.feed({ kind: "socketFrame", frame: String(data) });
    socket.onclose = () => this.feed({ kind: "socketLost" });
  }

  #closeSocket(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
    this.#socket = undefined;
  }

  #openPeer({ peer, config }: Extract<Output, { kind: "openPeer" }>): void {
    const user = { feed: (event: Event) => this.feed(event), track: (track: MediaStreamTrack) => this.#user.track(track) };
    try {
      this.#peer = new Peer(peer, this.#platform.peerConnection(config), this.#user.stream(), user);
    } catch (error) {
      this.feed({ kind: "peerRefused", peer, reason: String(error) });
    }
  }

  #peerOf(number: number): Peer | undefined {
    return this.#peer?.number === number ? this.#peer : undefined;
  }
}
