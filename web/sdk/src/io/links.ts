// The client's links: answers offers with an RTCPeerConnection each, and tells the session what becomes of them.
import type { Event } from "../core/events.ts";
import type { IceServer } from "../core/options.ts";
import type { CandidateInit } from "../core/signals.ts";
import type { DropReason } from "../core/stats.ts";
import { Code, MAX_MESSAGE_BYTES } from "../gen/constants.ts";
import type { Platform } from "./platform.ts";

export interface LinksUser {
  feed(event: Event): void;
  message(link: number, data: Uint8Array, reliable: boolean): void;
  /** A channel's buffer has sunk below the mark. */
  room(): void;
}

/** Why a message was not sent. */
export type Unsent = DropReason & ("not_connected" | "too_large");

const RELIABLE = "reliable";
const UNRELIABLE = "unreliable";

/** The links of a client, by their numbers; what those that were closed still say is not passed on. */
export class Links {
  readonly #links = new Map<number, PeerLink>();

  /** @param lowMark bytes waiting on a channel below which `room` is called */
  constructor(
    readonly platform: Platform,
    readonly iceTransportPolicy: RTCIceTransportPolicy,
    readonly lowMark: number,
    readonly user: LinksUser,
  ) {}

  /** Begin to answer an offer. */
  answer(number: number, sdp: string, iceServers: readonly IceServer[]): void {
    const { iceTransportPolicy } = this;
    try {
      const connection = this.platform.peerConnection({ iceServers: [...iceServers], iceTransportPolicy });
      const link = new PeerLink(number, connection, this.lowMark, this.user, iceTransportPolicy === "relay");
      this.#links.set(number, link);
      void link.answer(sdp);
    } catch (error) {
      this.user.feed({ kind: "linkRefused", link: number, code: Code.INTERNAL, reason: String(error) });
    }
  }

  /** Give the link a candidate of its server; null ends them. One that the browser does not take is dropped. */
  addCandidate(number: number, candidate: CandidateInit | null): void {
    this.#links.get(number)?.addCandidate(candidate);
  }

  /** Close the link, or stop making it. */
  close(number: number): void {
    this.#links.get(number)?.close();
    this.#links.delete(number);
  }

  /** Send on a link. Returns why not, where the browser does not take the message. */
  send(number: number, data: Uint8Array, reliable: boolean): Unsent | undefined {
    const link = this.#links.get(number);
    return link ? link.send(data, reliable) : "not_connected";
  }

  /** Bytes waiting on a channel of a link. */
  buffered(number: number, reliable: boolean): number {
    return this.#links.get(number)?.channel(reliable)?.bufferedAmount ?? 0;
  }
}

class PeerLink {
  #reliable: RTCDataChannel | undefined;
  #unreliable: RTCDataChannel | undefined;
  #isOpen = false;
  #isClosed = false;
  #candidates = 0;
  /** What an ICE server did not do, the last of it. */
  #trouble = "";

  constructor(
    readonly number: number,
    readonly connection: RTCPeerConnection,
    readonly lowMark: number,
    readonly user: LinksUser,
    readonly relayOnly: boolean,
  ) {
    connection.onicecandidate = ({ candidate }) => this.#found(candidate);
    connection.onicecandidateerror = ({ url, errorCode, errorText }) => {
      this.#trouble = ` (${url}: ${errorCode} ${errorText})`;
    };
    connection.ondatachannel = ({ channel }) => this.#take(channel);
    connection.oniceconnectionstatechange = () => {
      if (connection.iceConnectionState === "connected") this.#tell({ kind: "linkReached", link: number });
    };
    connection.onconnectionstatechange = () => {
      if (connection.connectionState === "failed") this.#ended(`no connection to the server${this.#trouble}`);
      else if (connection.connectionState === "disconnected") this.#tell({ kind: "linkDoubtful", link: number });
    };
  }

  async answer(sdp: string): Promise<void> {
    try {
      await this.connection.setRemoteDescription({ type: "offer", sdp });
      await this.connection.setLocalDescription(await this.connection.createAnswer());
    } catch (error) {
      this.#tell({ kind: "linkRefused", link: this.number, code: Code.BAD_SDP, reason: String(error) });
      return;
    }
    this.#tell({ kind: "answered", link: this.number, sdp: this.connection.localDescription?.sdp ?? "" });
  }

  #found(found: RTCIceCandidate | null): void {
    if (found?.candidate === "") return; // the end of one round of candidates; null ends them all
    if (found) this.#candidates += 1;
    // A browser goes on waiting where a relay is the only way and there is none.
    else if (this.relayOnly && this.#candidates === 0) this.#ended(`no TURN server relays for us${this.#trouble}`);
    const candidate = found && {
      candidate: found.candidate,
      sdpMid: found.sdpMid,
      sdpMLineIndex: found.sdpMLineIndex,
      usernameFragment: found.usernameFragment,
    };
    this.#tell({ kind: "localCandidate", link: this.number, candidate });
  }

  #take(channel: RTCDataChannel): void {
    const reliable = channel.label === RELIABLE;
    if (reliable) this.#reliable = channel;
    else if (channel.label === UNRELIABLE) this.#unreliable = channel;
    else return;
    channel.binaryType = "arraybuffer";
    channel.bufferedAmountLowThreshold = this.lowMark;
    channel.onbufferedamountlow = () => this.user.room();
    channel.onmessage = ({ data }) => {
      // What is no ArrayBuffer is text, which the protocol has none of: an empty message is counted as undecodable.
      const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array();
      if (!this.#isClosed) this.user.message(this.number, bytes, reliable);
    };
    channel.onclose = () => this.#ended("the server closed the link");
    channel.onopen = () => this.#opened();
    this.#opened();
  }

  #opened(): void {
    if (this.#isOpen || this.#reliable?.readyState !== "open" || this.#unreliable?.readyState !== "open") return;
    this.#isOpen = true;
    const maxMessageBytes = this.connection.sctp?.maxMessageSize ?? MAX_MESSAGE_BYTES;
    this.#tell({ kind: "linkOpened", link: this.number, maxMessageBytes });
  }

  addCandidate(candidate: CandidateInit | null): void {
    // Without the end of candidates a browser only tries longer.
    if (candidate !== null) this.connection.addIceCandidate(candidate).catch(() => undefined);
  }

  channel(reliable: boolean): RTCDataChannel | undefined {
    return reliable ? this.#reliable : this.#unreliable;
  }

  send(data: Uint8Array, reliable: boolean): Unsent | undefined {
    const channel = this.channel(reliable);
    if (channel?.readyState !== "open") return "not_connected"; // it is closing, of which we hear soon
    try {
      channel.send(data as Uint8Array<ArrayBuffer>);
      return undefined;
    } catch {
      return "too_large";
    }
  }

  close(): void {
    this.#isClosed = true;
    const { connection } = this;
    connection.onicecandidate = connection.onicecandidateerror = null;
    connection.ondatachannel = connection.onconnectionstatechange = connection.oniceconnectionstatechange = null;
    for (const channel of [this.#reliable, this.#unreliable]) {
      if (channel) channel.onopen = channel.onclose = channel.onmessage = channel.onbufferedamountlow = null;
    }
    connection.close();
  }

  #ended(reason: string): void {
    this.#tell({ kind: "linkEnded", link: this.number, reason });
  }

  #tell(event: Event): void {
    if (!this.#isClosed) this.user.feed(event);
  }
}
