// What the browser remembers: the rooms that were used lately; and the tab, for one step, what it did with a room on the page before.
import { recentRooms, withoutRoom, withRoom } from "../core/rooms.ts";

const ROOMS_KEY = "rtcbroker.apprtc.rooms";
const STEP_KEY = "rtcbroker.apprtc.step";

/** A room was chosen on the home page; or a page was left that was in it, of which the server may hear only after the next was asked for. */
export type Step = "chosen" | "left";

/** What of a browser's storage is used. */
export type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** A storage of this page, where the browser lets us have it. */
export function storeOf(find: () => Storage): Store | undefined {
  try {
    return find();
  } catch {
    return undefined; // cookies and storage are blocked
  }
}

export function loadRooms(store: Store | undefined): string[] {
  return recentRooms(store?.getItem(ROOMS_KEY) ?? null);
}

export function rememberRoom(store: Store | undefined, room: string): void {
  keep(store, ROOMS_KEY, withRoom(loadRooms(store), room));
}

export function forgetRoom(store: Store | undefined, room: string): void {
  keep(store, ROOMS_KEY, JSON.stringify(withoutRoom(loadRooms(store), room)));
}

/** Tell the tab's next page. */
export function leaveStep(store: Store | undefined, step: Step, room: string): void {
  keep(store, STEP_KEY, `${step} ${room}`);
}

/** Whether the page before did this with the room; true only once. */
export function takeStep(store: Store | undefined, step: Step, room: string): boolean {
  const isTaken = store?.getItem(STEP_KEY) === `${step} ${room}`;
  store?.removeItem(STEP_KEY);
  return isTaken;
}

function keep(store: Store | undefined, key: string, value: string): void {
  try {
    store?.setItem(key, value);
  } catch {
    // full: what is not remembered has to be typed again
  }
}
