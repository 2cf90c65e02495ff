// The two pictures: the other person's large, one's own small.
import { byId, show } from "./dom.ts";

export class Pictures {
  readonly #stage = byId("stage", HTMLElement);
  readonly #remote = byId("remote", HTMLVideoElement);
  readonly #noPicture = byId("no-picture", HTMLElement);
  readonly #self = byId("self", HTMLElement);
  readonly #local = byId("local", HTMLVideoElement);
  readonly #off = byId("self-off", HTMLElement);
  readonly #sound = byId("sound", HTMLElement);
  #theirs: MediaStream | undefined;
  #isConnected = false;

  constructor() {
    byId("play", HTMLButtonElement).addEventListener("click", () => {
      show(this.#sound, false);
      void this.#play();
    });
  }

  /** One's own, in front of the camera; undefined: there is none. */
  showSelf(stream: MediaStream | undefined, isCameraOff: boolean): void {
    const hasVideo = (stream?.getVideoTracks().length ?? 0) > 0;
    if (this.#local.srcObject !== (stream ?? null)) this.#local.srcObject = stream ?? null;
    show(this.#self, hasVideo);
    show(this.#local, !isCameraOff);
    show(this.#off, isCameraOff);
  }

  /** Whether there is somebody to be seen. */
  connected(isConnected: boolean): void {
    this.#isConnected = isConnected;
    this.#update();
  }

  addTrack(track: MediaStreamTrack): void {
    this.#theirs ??= new MediaStream();
    this.#theirs.addTrack(track);
    for (const kind of ["mute", "unmute", "ended"]) track.addEventListener(kind, () => this.#update());
    this.#remote.srcObject = this.#theirs;
    void this.#play();
    this.#update();
  }

  /** The other person is gone. */
  clear(): void {
    this.#theirs = undefined;
    this.#remote.srcObject = null;
    show(this.#sound, false);
    this.#update();
  }

  async #play(): Promise<void> {
    try {
      await this.#remote.play();
      show(this.#sound, false);
    } catch (error) {
      // Browsers want a click before they play what has sound; all else means only that the picture was taken away.
      const isForbidden = error instanceof DOMException && error.name === "NotAllowedError";
      if (isForbidden && this.#theirs) show(this.#sound, true);
    }
  }

  #update(): void {
    const isSeen = this.#theirs?.getVideoTracks().some((track) => !track.muted && track.readyState === "live") ?? false;
    this.#stage.toggleAttribute("data-live", this.#isConnected);
    show(this.#remote, this.#isConnected);
    show(this.#noPicture, this.#isConnected && !isSeen);
  }
}
