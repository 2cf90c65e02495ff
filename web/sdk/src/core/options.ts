// How a client behaves where its defaults do not suit.

const KIB = 1024;

/** A STUN or TURN server (RTCIceServer of W3C WebRTC). */
export interface IceServer {
  urls: string | string[];
  username?: string;
  credential?: string;
}

/** Every number a client works by. Times are in seconds, sizes in bytes. */
export interface ClientOptions {
  /** How long `connect()` goes on trying before it rejects. */
  connectTimeout: number;
  /** How long a subscription waits to be acknowledged, over reconnects too. */
  subscribeTimeout: number;
  /** How long a reliable `publish()` waits for room in the send buffer, or for a connection. */
  publishTimeout: number;
  /** How long `close()` waits for the server to have received what was sent reliably. */
  closeTimeout: number;
  /** Failed attempts in a row after which the client closes itself; Infinity: it never gives up. */
  maxAttempts: number;
  /** The first pause after a failed attempt is random between 0 and this; each further one doubles the upper end (full jitter). */
  backoffBase: number;
  /** The upper end of a pause never grows beyond this. */
  backoffCap: number;
  /**
   * For the WebSocket to the coordinator to be open and WELCOME to be there; half of it while there is another coordinator that was not
   * tried since the last WELCOME.
   */
  dialTimeout: number;
  /** For a chosen server's offer. */
  offerTimeout: number;
  /** From CONNECT until there is a way to the server, while there is another to try: one that UDP does not reach never says so. */
  reachTimeout: number;
  /** From CONNECT until the server has accepted us. */
  joinTimeout: number;
  /** Without an answer to AUTH for so long, behind a coordinator that speaks Part 1 only, the server is taken for an old one. */
  oldServerAfter: number;
  /** A connection that was lost sooner counts as a failed attempt. */
  stableAfter: number;
  /** Nothing heard from the server for so long: it is pinged. */
  pingInterval: number;
  /** Nothing heard for so long: the link is lost. */
  linkTimeout: number;
  /** The same once there is reason to doubt: the server's own socket is gone, or the page's network changed. */
  probeTimeout: number;
  /** For the token function to come up with a token. */
  tokenTimeout: number;
  /** Bytes waiting on the reliable channel above which `publish()` waits. */
  reliableBuffer: number;
  /** Bytes waiting on the unreliable channel above which packets are dropped: what waits longer is stale when it arrives. */
  unreliableBuffer: number;
  /** STUN and TURN servers. null: those the coordinator names, if any. Whatever stands here is used instead, and `[]` is none at all. */
  iceServers: readonly IceServer[] | null;
  /** `relay`: reach servers by way of a TURN server and no other, so that they never learn this machine's addresses. */
  iceTransportPolicy: "all" | "relay";
}

export const DEFAULT_OPTIONS: Readonly<ClientOptions> = {
  connectTimeout: 10,
  subscribeTimeout: 10,
  publishTimeout: 10,
  closeTimeout: 2,
  maxAttempts: Number.POSITIVE_INFINITY,
  backoffBase: 0.25,
  backoffCap: 10,
  dialTimeout: 5,
  offerTimeout: 5,
  reachTimeout: 3,
  joinTimeout: 15,
  oldServerAfter: 1.5,
  stableAfter: 10,
  pingInterval: 5,
  linkTimeout: 15,
  probeTimeout: 1,
  tokenTimeout: 10,
  reliableBuffer: 256 * KIB,
  unreliableBuffer: 64 * KIB,
  iceServers: null,
  iceTransportPolicy: "all",
};

const POLICIES: readonly unknown[] = ["all", "relay"];

/** The defaults with `changes` on top. Throws TypeError for a name that is none and RangeError for a number that cannot work. */
export function makeOptions(changes: Partial<ClientOptions> = {}): ClientOptions {
  const options: ClientOptions = { ...DEFAULT_OPTIONS };
  for (const [name, value] of Object.entries(changes)) {
    if (!(name in DEFAULT_OPTIONS)) throw new TypeError(`options.${name}: there is no such option`);
    if (value === undefined) continue;
    if (name === "iceTransportPolicy" && !POLICIES.includes(value))
      throw new RangeError(`options.${name}: ${String(value)} is neither "all" nor "relay"`);
    if (
      !name.startsWith("ice") &&
      !(typeof value === "number" && value > 0 && (value < Number.POSITIVE_INFINITY || name === "maxAttempts"))
    )
      throw new RangeError(`options.${name}: ${String(value)} is not a positive, finite number`);
    Object.assign(options, { [name]: value });
  }
  if (options.pingInterval >= options.linkTimeout)
    throw new RangeError(
      `options.pingInterval (${options.pingInterval} s) must be shorter than options.linkTimeout (${options.linkTimeout} s)`,
    );
  return options;
}
