/** The admin token: from the address' fragment (which no server sees), then from the session's storage, never from a query. */

const KEY = "rtcbroker.dashboard.token";

/** The part of sessionStorage that is used. */
export type Storage = Pick<globalThis.Storage, "getItem" | "setItem" | "removeItem">;

/** The token in `#token=…`, or null; other parameters of the fragment do not matter. */
export function tokenInFragment(hash: string): string | null {
  const token = new URLSearchParams(hash.replace(/^#/, "")).get("token");
  return token === null || token.trim() === "" ? null : token.trim();
}

/** Take the token out of the address bar, so that it is not shared with the link, and keep it. Null when there was none. */
export function takeFromAddress(location: Location, history: History, storage: Storage): string | null {
  const token = tokenInFragment(location.hash);
  if (token !== null) {
    history.replaceState(history.state, "", location.pathname + location.search);
    keepToken(storage, token);
  }
  return token;
}

/** The token of this session, "" without one. */
export function keptToken(storage: Storage): string {
  try {
    return storage.getItem(KEY) ?? "";
  } catch {
    return ""; // storage is closed to this page: the token lives as long as the page
  }
}

export function keepToken(storage: Storage, token: string): void {
  try {
    storage.setItem(KEY, token);
  } catch {
    // as above
  }
}

export function forgetToken(storage: Storage): void {
  try {
    storage.removeItem(KEY);
  } catch {
    // as above
  }
}
