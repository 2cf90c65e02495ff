// Camera and microphone, and why they may not be had.
import type { TrackConstraints } from "./constraints.ts";

export interface Wanted {
  readonly audio: TrackConstraints | boolean;
  readonly video: TrackConstraints | boolean;
}

export type TroubleKind =
  /** The person, the browser or the system said no. */
  | "denied"
  | "missing"
  /** Another program has it. */
  | "busy"
  /** Browsers hand them out to secure pages only. */
  | "insecure"
  /** None of the devices can do what the constraints demand. */
  | "unsuitable"
  | "other";

export interface Trouble {
  readonly kind: TroubleKind;
  /** What it is about. */
  readonly camera: boolean;
  readonly microphone: boolean;
  /** The browser's words, where ours say little. */
  readonly detail: string;
}

const KINDS: Readonly<Record<string, TroubleKind>> = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
  OverconstrainedError: "unsuitable",
};

/** What a failure of getUserMedia means; `present` are the kinds of devices there are (MediaDeviceInfo.kind). */
export function troubleOf(error: { name: string; message: string }, wanted: Wanted, present: ReadonlySet<string>): Trouble {
  const kind = KINDS[error.name] ?? "other";
  const isGone = (device: string) => kind !== "missing" || !present.has(device);
  const camera = wanted.video !== false && isGone("videoinput");
  const microphone = wanted.audio !== false && isGone("audioinput");
  const detail = kind === "other" ? [error.name, error.message].filter(Boolean).join(": ") : "";
  // A list of devices that lacks nothing is of no help.
  return camera || microphone ? { kind, camera, microphone, detail } : { kind, camera: true, microphone: true, detail };
}

export function insecure(wanted: Wanted): Trouble {
  return { kind: "insecure", camera: wanted.video !== false, microphone: wanted.audio !== false, detail: "" };
}
