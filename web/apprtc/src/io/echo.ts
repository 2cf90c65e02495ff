// The other person of a loopback call: answers the page's own offer and sends back what it gets.
import { type Candidate, decodeFrame, decodeMessage, describe, sendFrame, tellCandidate } from "../core/messages.ts";
import type { Platform } from "./platform.ts";

export class Echo {
  readonly #platform: Platform;
  readonly #socket: WebSocket;
  #connection: RTCPeerConnection | undefined;
  #work: Promise<void> = Promise.resolve();

  /** @param register the frame that makes it the other person at the message server */
  constructor(platform: Platform, url: string, register: string) {
    this.#platform = platform;
    this.#socket = platform.webSocket(url);
    this.#socket.onopen = () => this.#socket.send(register);
    this.#socket.onmessage = ({ data }) => this.#hear(decodeFrame(String(data)) ?? "");
  }

  close(): void {
    this.#socket.onopen = this.#socket.onmessage = null;
    this.#socket.close();
    this.#hangUp();
  }

  #hear(said: string): void {
    const message = decodeMessage(said);
    if (message?.type === "offer") this.#do(() => this.#answer(message.sdp));
    else if (message?.type === "candidate") this.#do(() => this.#add(message));
    else if (message?.type === "bye") this.#do(async () => this.#hangUp());
  }

  // A loopback that does not come about shows as a call that does not connect.
  #do(step: () => Promise<void>): void {
    this.#work = this.#work.then(step).catch(() => undefined);
  }

  async #answer(sdp: string): Promise<void> {
    this.#hangUp();
    const connection = this.#platform.peerConnection({});
    this.#connection = connection;
    connection.onicecandidate = ({ candidate: found }) => {
      if (!found?.candidate) return;
      this.#say(tellCandidate({ label: found.sdpMLineIndex ?? 0, id: found.sdpMid ?? "", candidate: found.candidate }));
    };
    await connection.setRemoteDescription({ type: "offer", sdp });
    for (const transceiver of connection.getTransceivers()) {
      transceiver.direction = "sendrecv";
      await transceiver.sender.replaceTrack(transceiver.receiver.track);
    }
    await connection.setLocalDescription(await connection.createAnswer());
    this.#say(describe({ type: "answer", sdp: connection.localDescription?.sdp ?? "" }));
  }

  async #add({ label, id, candidate }: Candidate): Promise<void> {
    await this.#connection?.addIceCandidate({ candidate, sdpMLineIndex: label, sdpMid: id });
  }

  #say(message: string): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(sendFrame(message));
  }

  #hangUp(): void {
    if (this.#connection) this.#connection.onicecandidate = null;
    this.#connection?.close();
    this.#connection = undefined;
  }
}
