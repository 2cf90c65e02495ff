// What to ask of camera and microphone. AppRTC still writes constraints as they were before the standard: {mandatory, optional}.
import { array, type Fields, fields, flag } from "./json.ts";

export interface Range {
  min?: number;
  max?: number;
  ideal?: number | string;
  exact?: string;
}

export type TrackConstraints = Record<string, Range | boolean>;

const NUMBERS: Readonly<Record<string, readonly [string, "min" | "max"]>> = {
  minWidth: ["width", "min"],
  maxWidth: ["width", "max"],
  minHeight: ["height", "min"],
  maxHeight: ["height", "max"],
  minFrameRate: ["frameRate", "min"],
  maxFrameRate: ["frameRate", "max"],
  minAspectRatio: ["aspectRatio", "min"],
  maxAspectRatio: ["aspectRatio", "max"],
};

const SWITCHES: Readonly<Record<string, string>> = {
  echoCancellation: "echoCancellation",
  googEchoCancellation: "echoCancellation",
  googAutoGainControl: "autoGainControl",
  googNoiseSuppression: "noiseSuppression",
};

/** Constraints of one kind of track, as the standard has them; false: that kind is not wanted. What no browser knows any more is left out. */
export function trackConstraints(wanted: unknown): TrackConstraints | boolean {
  if (typeof wanted !== "object" || wanted === null) return wanted !== false && wanted !== "false";
  const { mandatory, optional, fake } = fields(wanted);
  const made: TrackConstraints = {};
  for (const one of array(optional)) add(made, fields(one), false);
  add(made, fields(mandatory), true);
  if (flag(fake)) made.fake = true; // Firefox's invented camera
  return Object.keys(made).length > 0 ? made : true;
}

function add(made: TrackConstraints, wishes: Fields, must: boolean): void {
  for (const [name, value] of Object.entries(wishes)) {
    const number = NUMBERS[name];
    const amount = Number(value);
    const toggle = SWITCHES[name];
    if (number && Number.isFinite(amount)) {
      const [property, bound] = number;
      const before = made[property];
      // A bound that need not be kept is a wish for as much.
      made[property] = { ...(typeof before === "object" ? before : {}), [must ? bound : "ideal"]: amount };
    } else if (toggle) {
      made[toggle] = flag(value);
    } else if (name === "sourceId" && typeof value === "string") {
      made.deviceId = must ? { exact: value } : { ideal: value };
    }
  }
}
