// One RTCPeerConnection with camera and microphone on it. What is to be done to it is done one after the other, in the order it was said.
import type { Event, PathState } from "../core/events.ts";
import type { Fields } from "../core/json.ts";
import type { Candidate, Description } from "../core/messages.ts";

export interface PeerUser {
  feed(event: Event): void;
  /** A track of the other person. */
  track(track: MediaStreamTrack): void;
}

const PATHS: ReadonlySet<string> = new Set<PathState>(["connected", "disconnected", "failed"]);

export class Peer {
  readonly #connection: RTCPeerConnection;
  readonly #user: PeerUser;
  #work: Promise<void> = Promise.resolve();
  #isClosed = false;

  /** @param stream camera and microphone, or what there is of them */
  constructor(
    readonly number: number,
    connection: RTCPeerConnection,
    stream: MediaStream | undefined,
    user: PeerUser,
  ) {
    this.#connection = connection;
    this.#user = user;
    connection.onicecandidate = ({ candidate }) => this.#found(candidate);
    connection.ontrack = ({ track }) => user.track(track);
    connection.onconnectionstatechange = () => {
      const { connectionState } = connection;
      if (PATHS.has(connectionState)) this.#tell({ kind: "pathChanged", peer: number, state: connectionState as PathState });
    };
    for (const track of stream?.getTracks() ?? []) connection.addTrack(track, stream as MediaStream);
  }

  offer(options: Fields): void {
    this.#do(async () => {
      // Who sends no picture, or no sound, still wants the other's.
      for (const kind of ["audio", "video"]) {
        const isSent = this.#connection.getSenders().some((sender) => sender.track?.kind === kind);
        if (!isSent) this.#connection.addTransceiver(kind, { direction: "recvonly" });
      }
      await this.#describe(await this.#connection.createOffer(options));
    });
  }

  accept(description: Description): void {
    this.#do(async () => {
      await this.#connection.setRemoteDescription(description);
      if (description.type === "offer") await this.#describe(await this.#connection.createAnswer());
    });
  }

  addCandidate({ label, id, candidate }: Candidate): void {
    const init: RTCIceCandidateInit = { candidate, sdpMLineIndex: label, ...(id !== "" && { sdpMid: id }) };
    // One that the browser does not understand is one way less; there are others.
    this.#work = this.#work.then(() => this.#connection.addIceCandidate(init)).catch(() => undefined);
  }

  close(): void {
    this.#isClosed = true;
    const connection = this.#connection;
    connection.onicecandidate = connection.ontrack = connection.onconnectionstatechange = null;
    connection.close();
  }

  async #describe(made: RTCSessionDescriptionInit): Promise<void> {
    await this.#connection.setLocalDescription(made);
    this.#tell({ kind: "described", peer: this.number, sdp: this.#connection.localDescription?.sdp ?? made.sdp ?? "" });
  }

  #do(step: () => Promise<void>): void {
    this.#work = this.#work
      .then(() => (this.#isClosed ? undefined : step()))
      .catch((error: unknown) => this.#tell({ kind: "peerRefused", peer: this.number, reason: String(error) }));
  }

  #found(found: RTCIceCandidate | null): void {
    if (!found?.candidate) return; // the end of candidates has no message
    const candidate = { label: found.sdpMLineIndex ?? 0, id: found.sdpMid ?? "", candidate: found.candidate };
    this.#tell({ kind: "localCandidate", peer: this.number, candidate });
  }

  #tell(event: Event): void {
    this.#user.feed(event);
  }
}
