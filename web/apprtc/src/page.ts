// The call page: camera and microphone, the call, and what is shown of both.
import { Call } from "./core/call.ts";
import { trackConstraints } from "./core/constraints.ts";
import type { Wanted } from "./core/media.ts";
import type { PageParams } from "./core/params.ts";
import { type Choice, type Media, sceneOf } from "./core/scene.ts";
import { isInside, type State } from "./core/states.ts";
import { Driver } from "./io/driver.ts";
import { askForMedia, MediaRefused } from "./io/media.ts";
import { browserPlatform } from "./io/platform.ts";
import { leaveStep, rememberRoom, type Store } from "./io/store.ts";
import { Controls } from "./view/controls.ts";
import { byId, write } from "./view/dom.ts";
import { LinkCopier } from "./view/link.ts";
import { Pictures } from "./view/pictures.ts";
import { SceneView } from "./view/scene.ts";
import { Teller } from "./view/teller.ts";

const UNREACHABLE = {
  connected: "The server cannot be reached. The call goes on without it.",
  other: "The server cannot be reached. Trying again …",
};

export class CallPage {
  readonly #params: PageParams;
  readonly #rooms: Store | undefined;
  readonly #driver: Driver;
  readonly #pictures = new Pictures();
  readonly #scene = new SceneView((choice) => this.#choose(choice));
  readonly #controls: Controls;
  readonly #teller = new Teller();
  readonly #link = new LinkCopier(this.#teller);
  readonly #unreachable = byId("unreachable", HTMLElement);
  #wanted: Wanted;
  #media: Media = { name: "off" };
  #stream: MediaStream | undefined;
  #state: State = { name: "outside" };
  #isMuted = false;
  #isCameraOff = false;
  #isReachable = true;
  #joinsAtOnce = false;

  /** @param base the address of the home page, ending in a slash */
  constructor(params: PageParams, base: string, rooms: Store | undefined, step: Store | undefined) {
    this.#params = params;
    this.#rooms = rooms;
    this.#wanted = { audio: trackConstraints(params.wantsAudio), video: trackConstraints(params.wantsVideo) };
    const call = new Call({ base, room: params.room, query: location.search }, Math.random);
    this.#driver = new Driver(browserPlatform(), call, {
      stream: () => this.#stream,
      stateChanged: (state) => this.#changed(state),
      reachable: (isReachable) => {
        this.#isReachable = isReachable;
        this.#draw();
      },
      track: (track) => this.#pictures.addTrack(track),
      peerClosed: () => this.#pictures.clear(),
    });
    this.#controls = new Controls({
      toggleMicrophone: () => this.#toggle("audio"),
      toggleCamera: () => this.#toggle("video"),
      hangUp: () => this.#driver.feed({ kind: "hangUp" }),
    });
    byId("copy", HTMLButtonElement).addEventListener("click", () => void this.#link.copy());
    addEventListener("pagehide", () => {
      if (isInside(this.#state)) leaveStep(step, "left", params.room);
      this.#driver.feed({ kind: "pageGone" });
    });
  }

  /** Ask for camera and microphone; then join, or ask whether to. */
  async run(joinsAtOnce: boolean): Promise<void> {
    this.#joinsAtOnce = joinsAtOnce;
    this.#draw();
    if (this.#params.errors.length === 0) await this.#prepare(joinsAtOnce);
  }

  async #prepare(joinsAtOnce: boolean): Promise<void> {
    if (this.#media.name === "asking") return;
    if (this.#media.name !== "ready" && !(await this.#ask())) return;
    if (joinsAtOnce) this.#driver.feed({ kind: "enter" });
  }

  async #ask(): Promise<boolean> {
    this.#state = { name: "outside" };
    this.#setMedia({ name: "asking" });
    try {
      this.#stream = await askForMedia(navigator.mediaDevices, this.#wanted);
    } catch (error) {
      if (!(error instanceof MediaRefused)) throw error;
      this.#setMedia({ name: "trouble", trouble: error.trouble });
      return false;
    }
    for (const track of this.#stream?.getTracks() ?? []) track.addEventListener("ended", () => this.#unplugged(track));
    this.#switchTracks();
    this.#haveMedia();
    return true;
  }

  #haveMedia(): void {
    const has = (kind: string) => this.#stream?.getTracks().some((track) => track.kind === kind) ?? false;
    this.#setMedia({ name: "ready", hasAudio: has("audio"), hasVideo: has("video") });
  }

  /** The browser ended a track: not one that we stopped. */
  #unplugged(track: MediaStreamTrack): void {
    if (!this.#stream?.getTracks().includes(track)) return;
    this.#stream.removeTrack(track);
    this.#teller.tell(track.kind === "video" ? "Your camera is gone." : "Your microphone is gone.");
    this.#haveMedia();
  }

  #choose(choice: Choice): void {
    switch (choice) {
      case "join":
        this.#driver.feed({ kind: "enter" });
        break;
      case "cancel":
        this.#driver.feed({ kind: "hangUp" });
        break;
      case "askAgain":
        void this.#prepare(this.#joinsAtOnce);
        break;
      case "withoutCamera":
        this.#wanted = { ...this.#wanted, video: false };
        void this.#prepare(true);
        break;
      case "withoutBoth":
        this.#wanted = { audio: false, video: false };
        void this.#prepare(true);
        break;
      case "tryAgain":
      case "joinAgain":
        void this.#prepare(true);
        break;
      case "copyLink":
        void this.#link.copy();
        break;
      case "home":
        byId("home", HTMLAnchorElement).click();
    }
  }

  #changed(state: State): void {
    this.#state = state;
    if (isInside(state)) rememberRoom(this.#rooms, this.#params.room);
    else if (state.name === "left" || state.name === "full" || state.name === "failed") this.#release();
    this.#draw();
  }

  /** Nobody is filmed who is not in the room. */
  #release(): void {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = undefined;
    this.#media = { name: "off" };
  }

  #toggle(kind: "audio" | "video"): void {
    if (kind === "audio") this.#isMuted = !this.#isMuted;
    else this.#isCameraOff = !this.#isCameraOff;
    this.#switchTracks();
    this.#draw();
  }

  #switchTracks(): void {
    for (const track of this.#stream?.getAudioTracks() ?? []) track.enabled = !this.#isMuted;
    for (const track of this.#stream?.getVideoTracks() ?? []) track.enabled = !this.#isCameraOff;
  }

  #setMedia(media: Media): void {
    this.#media = media;
    this.#draw();
  }

  #draw(): void {
    const focused = document.activeElement;
    const [error = ""] = this.#params.errors;
    const { room } = this.#params;
    const scene = sceneOf({ room, state: this.#state, media: this.#media, wanted: this.#wanted, error });
    const isInCall = this.#state.name === "connected" || this.#state.name === "interrupted";
    this.#scene.show(scene);
    this.#pictures.showSelf(this.#stream, this.#isCameraOff);
    this.#pictures.connected(isInCall);
    this.#controls.show({
      hasMicrophone: this.#media.name === "ready" && this.#media.hasAudio,
      hasCamera: this.#media.name === "ready" && this.#media.hasVideo,
      isMuted: this.#isMuted,
      isCameraOff: this.#isCameraOff,
      isInside: scene.isInside,
    });
    write(this.#unreachable, this.#isReachable ? "" : UNREACHABLE[isInCall ? "connected" : "other"]);
    document.title = `${room}: ${scene.status}`;
    this.#scene.keepFocus(focused);
  }
}
