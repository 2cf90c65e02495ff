// The URL of a coordinator, as it is given and as it is dialed.

const SCHEMES: Readonly<Record<string, string>> = { "ws:": "ws:", "wss:": "wss:", "http:": "ws:", "https:": "wss:" };
const CONNECT_PATH = "/connect";

/** `/connect` behind what was given; nothing given is the page's own origin (`page`). Throws TypeError for what is no such URL. */
export function connectUrl(url: string, page: string | undefined): string {
  let parsed: URL;
  try {
    parsed = url === "" && page !== undefined ? new URL("/", page) : new URL(url);
    if (parsed.host.includes(",")) throw new TypeError("two of them");
  } catch {
    throw new TypeError(`url: ${JSON.stringify(url.slice(0, 200))} is not the URL of a coordinator, such as ws://localhost:9090`);
  }
  const scheme = SCHEMES[parsed.protocol];
  if (scheme === undefined) throw new TypeError(`url: ${parsed.protocol} is none of ws:, wss:, http:, https:`);
  let path = parsed.pathname.replace(/\/+$/, "");
  if (!path.endsWith(CONNECT_PATH)) path += CONNECT_PATH;
  return `${scheme}//${parsed.host}${path}${parsed.search}`;
}

// Before a scheme, or at an end: a comma elsewhere belongs to the URL it stands in.
const COMMA = /[\s,]*,\s*(?=[a-z]+:\/\/)/i;
const ENDS = /^[\s,]+|[\s,]+$/g;

/** One URL or several, in a list or separated by commas, as they are dialed. Throws TypeError for what is no such URL, and for an empty list. */
export function connectUrls(urls: string | readonly string[], page: string | undefined): string[] {
  const given: readonly string[] = Array.isArray(urls) ? urls : String(urls).replace(ENDS, "").split(COMMA);
  if (given.length === 0) throw new TypeError("url: a list with no URL in it");
  return given.map((url) => connectUrl(String(url), page));
}

/** Add what the coordinator is told: that we speak Part 2, the alias we had, and the token, since a WebSocket of a page has no headers. */
export function withQuery(url: string, alias: number, resume: string, token: string): string {
  const parsed = new URL(url);
  parsed.searchParams.set("v", "2");
  if (alias) {
    parsed.searchParams.set("alias", String(alias));
    parsed.searchParams.set("resume", resume);
  }
  if (token) parsed.searchParams.set("access_token", token);
  return parsed.href;
}
