// The buttons below the picture.
import { byId, show, write } from "./dom.ts";

export interface ControlsUser {
  toggleMicrophone(): void;
  toggleCamera(): void;
  hangUp(): void;
}

export interface ControlsState {
  readonly hasMicrophone: boolean;
  readonly hasCamera: boolean;
  readonly isMuted: boolean;
  readonly isCameraOff: boolean;
  readonly isInside: boolean;
}

export class Controls {
  readonly #mic = byId("mic", HTMLButtonElement);
  readonly #camera = byId("camera", HTMLButtonElement);
  readonly #full = byId("full", HTMLButtonElement);
  readonly #hangUp = byId("hang-up", HTMLButtonElement);

  constructor(user: ControlsUser) {
    this.#mic.addEventListener("click", () => user.toggleMicrophone());
    this.#camera.addEventListener("click", () => user.toggleCamera());
    this.#hangUp.addEventListener("click", () => user.hangUp());
    this.#full.addEventListener("click", () => void toggleFullScreen());
    document.addEventListener("fullscreenchange", () => this.#showFullScreen());
  }

  show({ hasMicrophone, hasCamera, isMuted, isCameraOff, isInside }: ControlsState): void {
    show(this.#mic, hasMicrophone);
    show(this.#camera, hasCamera);
    show(this.#full, isInside && document.fullscreenEnabled);
    show(this.#hangUp, isInside);
    label(this.#mic, isMuted ? "Unmute" : "Mute", isMuted ? "i-mic-off" : "i-mic");
    label(this.#camera, isCameraOff ? "Camera on" : "Camera off", isCameraOff ? "i-camera-off" : "i-camera");
    this.#mic.classList.toggle("off", isMuted);
    this.#camera.classList.toggle("off", isCameraOff);
    if (!isInside && document.fullscreenElement) void document.exitFullscreen();
  }

  #showFullScreen(): void {
    const isFull = document.fullscreenElement !== null;
    label(this.#full, isFull ? "Leave full screen" : "Full screen", isFull ? "i-small" : "i-full");
  }
}

function label(button: HTMLButtonElement, text: string, icon: string): void {
  write(button.querySelector("span") ?? button, text);
  button.querySelector("use")?.setAttribute("href", `#${icon}`);
}

async function toggleFullScreen(): Promise<void> {
  try {
    if (document.fullscreenElement) await document.exitFullscreen();
    // All of the page, so that its buttons stay in reach.
    else await document.documentElement.requestFullscreen();
  } catch {
    // the browser does not want to: the button stays as it is
  }
}
