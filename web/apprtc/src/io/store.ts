// What the browser remembers: the rooms that were used lately, and, for one step, that a room was chosen on the home page.
import { recentRooms, withoutRoom, withRoom } from "../core/rooms.ts";

const ROOMS_KEY = "rtcbroker.apprtc.rooms";
const CHOSEN_KEY = "rtcbroker.apprtc.chosen";

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

/** The room's page need not ask whether to join. */
export function chooseRoom(store: Store | undefined, room: string): void {
  keep(store, CHOSEN_KEY, room);
}

/** Whether this room was chosen just now; true only once. */
export function takeChosen(store: Store | undefined, room: string): boolean {
  const isChosen = store?.getItem(CHOSEN_KEY) === room;
  store?.removeItem(CHOSEN_KEY);
  return isChosen;
}

function keep(store: Store | undefined, key: string, value: string): void {
  try {
    store?.setItem(key, value);
  } catch {
    // full: what is not remembered has to be typed again
  }
}
