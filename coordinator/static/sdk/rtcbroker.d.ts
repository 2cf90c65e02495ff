/** Why something ended or was refused; the range of a number says what to do next (docs/protocol.md). */
export declare const Code: {
	readonly INTERNAL: 4000;
	readonly TIMEOUT: 4001;
	readonly SLOW_CONSUMER: 4002;
	readonly LINK_LOST: 4003;
	readonly REPLACED: 4004;
	readonly TOKEN_UNVERIFIABLE: 4005;
	readonly COORDINATOR_STOPPING: 4006;
	readonly AUTH_TIMEOUT: 4007;
	readonly DISCONNECTED: 4008;
	readonly TOKEN_UNAVAILABLE: 4009;
	readonly SERVER_FULL: 4100;
	readonly SERVER_DRAINING: 4101;
	readonly SERVER_STOPPING: 4102;
	readonly PEER_NOT_FOUND: 4103;
	readonly NO_SERVERS: 4104;
	readonly BAD_MESSAGE: 4200;
	readonly UNEXPECTED_MESSAGE: 4201;
	readonly MESSAGE_TOO_LARGE: 4202;
	readonly BAD_SDP: 4203;
	readonly BAD_CANDIDATE: 4204;
	readonly TOO_MANY_CANDIDATES: 4205;
	readonly AUTH_FAILED: 4210;
	readonly TOKEN_EXPIRED: 4212;
	readonly TOKEN_NOT_YET_VALID: 4213;
	readonly WRONG_ROLE: 4214;
	readonly ALIAS_TAKEN: 4215;
	readonly TOO_MANY_ERRORS: 4216;
	readonly NOT_NEEDED: 4217;
	readonly ORIGIN_REFUSED: 4218;
	readonly TOKEN_REVOKED: 4219;
	readonly NOT_ALLOWED: 4300;
	readonly BAD_TOPIC: 4301;
	readonly TOO_MANY_TOPICS: 4302;
	readonly RATE_LIMITED: 4303;
	readonly RESYNC: 4304;
};
/** What to do next: try again, try another server, change something first, or nothing since the connection lives on. */
export type Retry = "retry" | "retry elsewhere" | "do not retry" | "still connected";
/** Everything the SDK raises on purpose. */
export declare class RtcBrokerError extends Error {
	readonly code: number;
	readonly name: string;
	/** A sentence; that of the code where nothing else is known. */
	readonly reason: string;
	/** @param code one of `Code`, or a plain WebSocket close code */
	constructor(code: number, reason?: string, message?: string);
	/** What to do next, by the code. */
	get retry(): Retry;
}
/** The client could not connect; `code` and `reason` say why the last try failed. */
export declare class ConnectError extends RtcBrokerError {
	readonly name: string;
}
/** The token was refused, and a fresh one, where there was a way to get one, was refused too. */
export declare class AuthError extends ConnectError {
	readonly name: string;
}
/**
 * The application's token function failed, `why` says how. It is asked again, as a coordinator that is away is dialed again. Reported to
 * `client.on("error", ...)`.
 */
export declare class TokenUnavailable extends RtcBrokerError {
	readonly name: string;
	constructor(why: string);
}
/** The client is closed: by `close()` (code 1000), or because it was told not to come back. */
export declare class ClientClosed extends RtcBrokerError {
	readonly name: string;
	constructor(code?: number, reason?: string);
	get retry(): Retry;
}
/** There was no connection, and none came in time. */
export declare class NotConnected extends RtcBrokerError {
	readonly what: string;
	readonly seconds: number;
	readonly name: string;
	/** @param seconds how long was waited */
	constructor(what: string, seconds?: number, why?: string);
}
/** Connected, but the answer or the room did not come in time. */
export declare class RequestTimeout extends RtcBrokerError {
	readonly what: string;
	readonly seconds: number;
	readonly name: string;
	/** @param seconds how long was waited */
	constructor(what: string, seconds: number, why?: string);
}
/** The server refused these topics; `code` is that of the first. */
export declare class SubscriptionRefused extends RtcBrokerError {
	readonly name: string;
	/** Code of each refused topic. */
	readonly topics: ReadonlyMap<string, number>;
	constructor(topics: ReadonlyMap<string, number>);
}
/** The server refused one packet or request; the connection lives on. Reported to `client.on("error", ...)`. */
export declare class RequestRefused extends RtcBrokerError {
	readonly topic: string;
	readonly name: string;
	/** @param topic what it was about, or empty */
	constructor(code: number, reason: string, topic?: string);
}
/** A topic outside the grammar. */
export declare class TopicError extends RtcBrokerError {
	readonly topic: string;
	readonly why: string;
	readonly name: string;
	constructor(topic: string, why: string);
}
/** A packet over the limit; both in bytes. */
export declare class MessageTooLarge extends RtcBrokerError {
	readonly size: number;
	readonly limit: number;
	readonly name: string;
	constructor(size: number, limit: number, what?: string);
}
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
/** What a sender was verified as. */
export type SenderRole = "CLIENT" | "COMMUNICATION_SERVER" | "COMMUNICATION_SERVER_HUB";
/** One packet of a topic. */
export declare class Packet {
	readonly topic: string;
	readonly sender: number;
	readonly body: Uint8Array;
	readonly reliable: boolean;
	readonly identity: string | undefined;
	readonly role: SenderRole | undefined;
	/**
	 * @param topic empty where an old server, which does not say it, sent the packet while several topics were subscribed
	 * @param sender alias of the client that published it, as the server knows it
	 * @param body a view into the message it came in: copy it (`body.slice()`) to keep it for long
	 * @param reliable the kind of channel it came by, which is the kind it was sent by
	 * @param identity the sender's verified identity (its token's subject), if it published with `identity: true`
	 * @param role the sender's verified role, where `identity` is given
	 */
	constructor(topic: string, sender: number, body: Uint8Array, reliable: boolean, identity?: string | undefined, role?: SenderRole | undefined);
	/** The body as UTF-8 text; what is none is replaced by U+FFFD. */
	text(): string;
	/** The body as JSON. Throws SyntaxError for what is none. */
	json<T = unknown>(): T;
}
/**
 * Where a client is in its life: `new` (made, not yet asked to connect), `connecting` (on the way to its first connection), `connected`
 * (joined to a comm server: packets flow), `reconnecting` (was connected, lost it, and is on its way to the next connection; subscriptions
 * are kept), `closed` (the end: closed by the application, or told not to come back).
 */
export type ClientState = "new" | "connecting" | "connected" | "reconnecting" | "closed";
/**
 * Why packets are dropped; the keys of `ClientStats.dropped`.
 *
 * Outgoing: `not_connected` (there was no connection, or none any more, or none in time), `send_buffer` (the channel's send buffer was over
 * its mark, and stayed so for as long as `publish` waits), `too_large` (larger than the server's session description allows, though not than the limits it told).
 * Incoming: `queue` (the oldest of a full queue), `not_subscribed` (on its way when its topic was unsubscribed), `undecodable` (a message
 * that is none), `callback` (a subscription's callback threw).
 */
export type DropReason = "not_connected" | "send_buffer" | "too_large" | "queue" | "not_subscribed" | "undecodable" | "callback";
/** Counters over the whole life of a client; they only grow. */
export interface ClientStats {
	/** Packets handed to the link. */
	sent: number;
	/** Packets of subscribed topics that arrived (once, however many subscriptions took them). */
	received: number;
	/** Bytes of data channel messages sent, of any kind. */
	bytesSent: number;
	/** Bytes of data channel messages received, of any kind. */
	bytesReceived: number;
	/** Times a comm server was joined. */
	joins: number;
	/** Times a lost connection was made again. */
	reconnects: number;
	/** Times the client went to another comm server because its own asked it to, without losing a connection. */
	moves: number;
	/** Packets dropped, by reason. */
	dropped: Record<DropReason, number>;
}
/**
 * A JWT, or a function, plain or async, that comes up with one: asked when the client connects, before the token expires, when it was refused
 * or revoked. One that fails is asked again after a pause (TokenUnavailable); one that gives no text, or an empty one, is a mistake (TypeError).
 */
export type Token = string | (() => string | Promise<string>);
/** What may be published; a text as UTF-8. */
type Body$1 = Uint8Array | ArrayBuffer | string;
export interface ConnectOptions {
	/** None suits a cluster that runs with `--auth none`. */
	token?: Token | undefined;
	options?: Partial<ClientOptions> | undefined;
}
export interface PublishOptions {
	/** Reliable (the default) arrives, and in order; unreliable may be lost, and never waits. */
	reliable?: boolean;
	/** Receivers learn the subject and role of this client's token, as the server verified them. */
	identity?: boolean;
}
export interface SubscribeOptions {
	/** Keep the topics that are allowed where others are refused (`subscription.refused`), instead of rejecting. */
	partial?: boolean;
	/** Without a callback: how many packets wait for a reader that is busy; beyond that the oldest are dropped. 1,000 by default. */
	queue?: number;
}
export type PacketCallback = (packet: Packet) => void;
export type StateListener = (state: ClientState, cause?: RtcBrokerError) => void;
export type ErrorListener = (error: RtcBrokerError) => void;
/**
 * A client of a cluster, from its connection to its close; `connect()` makes it. A lost connection is made again by itself, to another
 * server where need be, and what was subscribed is subscribed again; `state` and `on("state", ...)` tell.
 */
export interface Client {
	/** Where this client is in its life. */
	readonly state: ClientState;
	/** This client's alias, as others see it in `packet.sender`; 0 before it has one. Usually kept over reconnects. */
	readonly alias: number;
	/** Alias of the comm server this client is joined to; 0 while it is not. */
	readonly server: number;
	/** Counters over the whole life of the client. */
	readonly stats: Readonly<ClientStats>;
	/**
	 * Subscribe to one topic or several; resolves when the server has acknowledged them. `callback` is called with each packet as it
	 * arrives; without one, the subscription is read with `for await (const packet of subscription)`.
	 *
	 * Rejects with SubscriptionRefused where the server refuses any topic (unless `partial`), NotConnected or RequestTimeout after
	 * `options.subscribeTimeout`, TopicError, ClientClosed; TypeError, as everything here, for an argument that is none, naming it.
	 */
	subscribe(topics: string | Iterable<string>, callback: PacketCallback, options?: SubscribeOptions): Promise<Subscription>;
	subscribe(topics: string | Iterable<string>, options?: SubscribeOptions): Promise<Subscription>;
	/**
	 * Publish to everyone else who is subscribed to `topic`.
	 *
	 * Reliable: waits for room in the send buffer, and for a connection while there is none, for up to `options.publishTimeout`, then rejects
	 * with RequestTimeout or NotConnected. What was on its way when a connection broke may be lost. Unreliable: never waits; dropped and
	 * counted (`stats.dropped`) where there is no connection or no room.
	 *
	 * Rejects with TopicError, MessageTooLarge, ClientClosed. A refusal by the server (no grant, too many packets) is told to `on("error")`.
	 */
	publish(topic: string, body: Body$1, options?: PublishOptions): Promise<void>;
	/** Publish without ever waiting; false, and counted, when it was dropped. Throws as `publish` rejects, but for the time-outs. */
	publishNowait(topic: string, body: Body$1, options?: PublishOptions): boolean;
	/** Publish a value as JSON. Throws TypeError for one that JSON has no text for. */
	publishJson(topic: string, value: unknown, options?: PublishOptions): Promise<void>;
	/** Seconds to the comm server and back, by the reliable channel. Rejects with NotConnected, RequestTimeout, ClientClosed. */
	ping(): Promise<number>;
	/** Call `listener` with each new state and, where there is one, its cause. Returns a function that ends this. */
	on(event: "state", listener: StateListener): () => void;
	/**
	 * Call `listener` with what was refused while the connection lived on: RequestRefused (a packet, say), or SubscriptionRefused; and with
	 * TokenUnavailable each time the token function failed. Returns a function that ends this.
	 */
	on(event: "error", listener: ErrorListener): () => void;
	/** Leave, once the server has what was sent reliably (`options.closeTimeout` at most). Idempotent, never rejects. */
	close(): Promise<void>;
}
/**
 * Topics of one `client.subscribe(...)`. Topics may be shared with other subscriptions of the same client: each gets every packet, and a
 * topic is unsubscribed when the last of them lets go of it. Reconnects pass by unnoticed, but for what was published meanwhile.
 */
export interface Subscription extends AsyncIterable<Packet> {
	/** The topics held, refused ones included where `partial` allows for them. */
	readonly topics: ReadonlySet<string>;
	/** Those of `topics` that the server refuses, with the code. */
	readonly refused: ReadonlyMap<string, number>;
	/** Packets dropped because the queue of a reader was full. */
	readonly dropped: number;
	/**
	 * Change topics, all in one message; resolves when the server has acknowledged it. Topics of `add` that are here already, and topics of
	 * `remove` that are not, are passed over; a topic in both stays or comes. Rejects as `subscribe` does; refused topics of `add` are left
	 * out then, unless `partial`. After NotConnected or RequestTimeout the change stands and takes effect once it can.
	 */
	update(change: {
		add?: Iterable<string>;
		remove?: Iterable<string>;
	}): Promise<void>;
	/** Unsubscribe; resolves when the server has acknowledged it, or needs not. Idempotent, never rejects. */
	close(): Promise<void>;
}
/**
 * Connect to the cluster behind `url`: its coordinator's `ws://host:9090`, `wss://...` or `https://...`; "" or nothing is the page's own
 * origin. Several coordinators of one cluster stand in a list, or are separated by commas: the first dial goes to any of them, each further
 * one to the next. Goes on trying, at one server after another, for `options.connectTimeout`.
 *
 * Rejects with AuthError when the token is refused, ConnectError when time is up or the cluster says not to come back, TypeError or RangeError
 * for a URL, a token or an option that cannot work.
 */
export declare function connect(url?: string | readonly string[], options?: ConnectOptions): Promise<Client>;

export {
	Body$1 as Body,
};

export {};
