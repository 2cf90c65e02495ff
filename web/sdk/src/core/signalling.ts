// The socket to the coordinator, as far as the session knows it: how far it is, what WELCOME said, and when to dial again.
import { Code } from "../gen/constants.ts";
import { Backoff, type Random } from "./backoff.ts";
import type { Credentials } from "./credentials.ts";
import { RtcBrokerError } from "./errors.ts";
import type { Emit } from "./events.ts";
import type { ClientOptions } from "./options.ts";
import { ServerList } from "./servers.ts";
import type { Turns } from "./turns.ts";

// Share of the dial time-out that a coordinator has while there is another one that was not tried since the last WELCOME.
const HURRIED = 0.5;

/**
 * How far the socket is: `down` (dialed at its deadline, if it has one), `token` (waits for the application's token), `dialing`, `open`
 * (waits for WELCOME), `welcomed`.
 */
export type SocketState = "down" | "token" | "dialing" | "open" | "welcomed";

/** Where to dial, and what of that may be told: the rest of a URL may be nobody's business. */
export interface Coordinator {
  url: string;
  host: string;
}

/** The one socket of a client. A call that leads to another state says so; what that means is the session's business. */
export class Signalling {
  socket: SocketState = "down";
  /** When to call `tick`. */
  deadline: number | undefined;
  /** When the application was last asked for a token. */
  askedAt = 0;
  /** Our alias at the coordinator, by the last WELCOME; 0 before. */
  alias = 0;
  readonly servers = new ServerList();
  #resume = "";
  #host = "";
  // Dials since the last WELCOME.
  #tried = 0;
  readonly #pauses: Backoff;

  /** @param coordinators each dial goes to the next */
  constructor(
    readonly coordinators: Turns<Coordinator>,
    readonly options: ClientOptions,
    readonly credentials: Credentials,
    random: Random,
    readonly emit: Emit,
  ) {
    this.#pauses = new Backoff(options.backoffBase, options.backoffCap, random);
  }

  /** Whether the coordinator is one of ours: it gave a proof with which the alias can be had again. */
  get speaksPart2(): boolean {
    return this.#resume !== "";
  }

  /** Dial, once there is a token to show. */
  dial(now: number): void {
    this.deadline = undefined;
    if (this.credentials.isDue(now)) {
      this.socket = "token";
      this.askToken(now);
      return;
    }
    this.socket = "dialing";
    const { url, host } = this.coordinators.next();
    this.#host = host;
    this.#tried += 1;
    const isHurried = this.#tried < this.coordinators.count;
    this.deadline = now + this.options.dialTimeout * (isHurried ? HURRIED : 1);
    // Without a proof there is no use in asking for an alias.
    const alias = this.#resume ? this.alias : 0;
    this.emit({ kind: "dial", url, alias, resume: this.#resume, token: this.credentials.token });
  }

  /** Ask the application for a token, unless that was done already. */
  askToken(now: number): void {
    if (this.credentials.asked) return;
    this.credentials.asked = true;
    this.askedAt = now;
    this.emit({ kind: "askToken" });
  }

  /** Close the socket, or stop dialing. */
  hangUp(): void {
    if (this.socket !== "down" && this.socket !== "token") this.emit({ kind: "hangUp" });
    this.socket = "down";
    this.deadline = undefined;
  }

  /** Hang up, and dial again at `when`. A dial that waits for its token goes on by itself. */
  dialAt(when: number): void {
    if (this.socket === "token") return;
    this.hangUp();
    this.deadline = when;
  }

  /** The socket did not come up, or went: dial again after a pause, longer each time until there is a WELCOME. */
  dialLater(now: number): void {
    this.dialAt(now + this.#pauses.next());
  }

  /** There is news of the network: a dial that waits for its turn is made now, and pauses are short again. */
  dialNow(now: number): void {
    this.#pauses.reset();
    this.#tried = 0;
    if (this.socket === "down" && this.deadline !== undefined) this.deadline = now;
  }

  /** WELCOME came. */
  welcomed(alias: number, servers: Iterable<number>, resume: string): void {
    this.socket = "welcomed";
    this.deadline = undefined;
    this.alias = alias;
    this.#resume = resume;
    this.#pauses.reset();
    this.#tried = 0;
    this.servers.refresh(servers);
  }

  /** Look at the deadline: a dial that is due is made; one that did not lead to WELCOME in time is given up, and this is why. */
  tick(now: number): RtcBrokerError | undefined {
    if (this.deadline === undefined || now < this.deadline) return undefined;
    if (this.socket === "down") {
      this.dial(now);
      return undefined;
    }
    const why = (this.socket === "open" ? unwelcomed : unanswered)(this.#host);
    this.hangUp();
    return new RtcBrokerError(Code.TIMEOUT, why);
  }
}

const unwelcomed = (host: string) => `no WELCOME from the coordinator in time: ${host} took the connection and said nothing`;

// A browser says nothing at all where the policy of the page keeps it from dialing.
const unanswered = (host: string) =>
  `the coordinator did not answer in time: ${host} cannot be reached, or this page's Content-Security-Policy (connect-src) is in the way`;
