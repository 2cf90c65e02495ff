// Asking for camera and microphone.
import { insecure, type Trouble, troubleOf, type Wanted } from "../core/media.ts";

/** They could not be had. */
export class MediaRefused extends Error {
  override readonly name = "MediaRefused";

  constructor(readonly trouble: Trouble) {
    super(`camera or microphone: ${trouble.kind}`);
  }
}

/** Camera and microphone as wanted; undefined where neither is. Throws `MediaRefused`. */
export async function askForMedia(devices: MediaDevices | undefined, wanted: Wanted): Promise<MediaStream | undefined> {
  if (wanted.audio === false && wanted.video === false) return undefined;
  // Pages without a secure context have none.
  if (devices === undefined) throw new MediaRefused(insecure(wanted));
  try {
    return await devices.getUserMedia({
      audio: wanted.audio as MediaTrackConstraints,
      video: wanted.video as MediaTrackConstraints,
    });
  } catch (error) {
    const known = error instanceof Error ? error : new Error(String(error));
    throw new MediaRefused(troubleOf(known, wanted, await kindsOf(devices)));
  }
}

async function kindsOf(devices: MediaDevices): Promise<Set<string>> {
  try {
    return new Set((await devices.enumerateDevices()).map((device) => device.kind));
  } catch {
    return new Set(); // then none is known
  }
}
