// What this tab remembers: the token it was opened with, and the name you chose.

const TOKEN_KEY = "rtcbroker.demo.token";
const NAME_KEY = "rtcbroker.demo.name";

/** What of `sessionStorage` is used; it may be forbidden. */
export type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** The token of a link `#token=...`; undefined where there is none. */
export function tokenOf(fragment: string): string | undefined {
  return new URLSearchParams(fragment.replace(/^#/, "")).get("token")?.trim() || undefined;
}

/**
 * The token this tab was opened with: taken from the address bar, so that it is neither shown nor copied by chance, and kept for as long as
 * the tab lives.
 */
export function takeToken(store: Store | undefined): string | undefined {
  const given = tokenOf(location.hash);
  if (given === undefined) return store?.getItem(TOKEN_KEY) ?? undefined;
  history.replaceState(history.state, "", location.pathname + location.search);
  store?.setItem(TOKEN_KEY, given);
  return given;
}

export function keepToken(store: Store | undefined, token: string): void {
  if (token) store?.setItem(TOKEN_KEY, token);
  else store?.removeItem(TOKEN_KEY);
}

export function knownName(store: Store | undefined): string | undefined {
  return store?.getItem(NAME_KEY) ?? undefined;
}

export function keepName(store: Store | undefined, name: string): void {
  store?.setItem(NAME_KEY, name);
}

/** The storage of this tab, where the browser lets us have it. */
export function tabStore(): Store | undefined {
  try {
    return window.sessionStorage;
  } catch {
    return undefined; // cookies and storage are blocked
  }
}
