// A browser's RTCPeerConnection without a network: it connects to the one whose description it was given, once both have each other's and a way.
import type { World } from "./world.ts";

const CANDIDATES = 2;

export class FakeTrack {
  constructor(readonly kind: "audio" | "video") {}
}

export class FakeStream {
  readonly tracks: FakeTrack[];

  constructor(...kinds: ("audio" | "video")[]) {
    this.tracks = kinds.map((kind) => new FakeTrack(kind));
  }

  getTracks(): FakeTrack[] {
    return this.tracks;
  }
}

interface Transceiver {
  kind: string;
  direction: string;
  sender: { track: FakeTrack | null; replaceTrack(track: FakeTrack | null): Promise<void> };
  receiver: { track: FakeTrack };
}

export class FakeConnection {
  static count = 0;
  readonly session: string;
  connectionState = "new";
  onicecandidate: ((event: { candidate: unknown }) => void) | null = null;
  ontrack: ((event: { track: FakeTrack }) => void) | null = null;
  onconnectionstatechange: (() => void) | null = null;
  localDescription: { type: string; sdp: string } | null = null;
  remoteDescription: { type: string; sdp: string } | null = null;
  readonly remoteCandidates: { candidate: string; sdpMLineIndex: number; sdpMid?: string }[] = [];
  readonly transceivers: Transceiver[] = [];
  /** Fails the next description of this type. */
  refuses = "";
  isClosed = false;

  constructor(
    readonly world: World,
    readonly config: RTCConfiguration,
  ) {
    FakeConnection.count += 1;
    this.session = world.session(FakeConnection.count);
  }

  addTrack(track: FakeTrack): void {
    this.#add(track.kind, "sendrecv", track);
  }

  addTransceiver(kind: string, { direction }: { direction: string }): void {
    this.#add(kind, direction, null);
  }

  #add(kind: string, direction: string, track: FakeTrack | null): void {
    const sender = {
      track,
      replaceTrack: async (other: FakeTrack | null) => {
        sender.track = other;
      },
    };
    this.transceivers.push({ kind, direction, sender, receiver: { track: new FakeTrack(kind as "audio") } });
  }

  getTransceivers(): Transceiver[] {
    return this.transceivers;
  }

  getSenders(): Transceiver["sender"][] {
    return this.transceivers.map(({ sender }) => sender);
  }

  async createOffer(): Promise<{ type: string; sdp: string }> {
    return { type: "offer", sdp: this.#sdp() };
  }

  async createAnswer(): Promise<{ type: string; sdp: string }> {
    return { type: "answer", sdp: this.#sdp() };
  }

  #sdp(): string {
    const media = this.transceivers.map(({ kind, direction }) => `m=${kind}\r\na=${direction}\r\n`).join("");
    return `v=0\r\no=- ${this.session} 2 IN IP4 127.0.0.1\r\n${media}`;
  }

  async setLocalDescription(description: { type: string; sdp: string }): Promise<void> {
    this.#check(description.type);
    this.localDescription = description;
    for (let number = 0; number < CANDIDATES; number += 1) {
      const candidate = `candidate:${number} 1 udp 1 ${this.session} 9 typ host`;
      this.world.post(() => this.onicecandidate?.({ candidate: { candidate, sdpMLineIndex: 0, sdpMid: "0" } }));
    }
    this.world.post(() => this.onicecandidate?.({ candidate: null }));
  }

  async setRemoteDescription(description: { type: string; sdp: string }): Promise<void> {
    this.#check(description.type);
    this.remoteDescription = description;
    if (description.type === "offer" && this.transceivers.length === 0) {
      for (const [, kind = ""] of description.sdp.matchAll(/^m=(\w+)/gm)) this.#add(kind, "recvonly", null);
    }
    for (const { receiver } of this.transceivers) this.ontrack?.({ track: receiver.track });
  }

  #check(type: string): void {
    if (this.isClosed) throw new Error("InvalidStateError: closed");
    if (this.refuses === type) throw new Error(`InvalidAccessError: ${type}`);
  }

  async addIceCandidate(candidate: { candidate: string; sdpMLineIndex: number }): Promise<void> {
    if (!this.remoteDescription) throw new Error("InvalidStateError: no remote description");
    this.remoteCandidates.push(candidate);
    this.world.connect();
  }

  /** Whether it knows of the other what it must. */
  knows(other: FakeConnection): boolean {
    return this.remoteDescription?.sdp.includes(` ${other.session} `) === true && this.remoteCandidates.length > 0;
  }

  become(state: string): void {
    if (this.isClosed || this.connectionState === state) return;
    this.connectionState = state;
    this.world.post(() => this.onconnectionstatechange?.());
  }

  close(): void {
    this.isClosed = true;
    this.connectionState = "closed";
  }
}
