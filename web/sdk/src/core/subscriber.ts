// Brings one server to the client's subscriptions: sends the set, gzipped where it is large, and follows what becomes of it.
import { Code } from "../gen/constants.ts";
import { SubscriptionRefused } from "./errors.ts";
import type { Emit } from "./events.ts";
import { subscription } from "./packets.ts";
import type { SubscriptionSet } from "./subscriptions.ts";
import { encodeText } from "./text.ts";

/** Bytes of a set's text above which it is gzipped; below, the header eats the gain. */
export const GZIP_OVER = 1_000;

/** The subscriptions of one link. */
export class Subscriber {
  /** The server answers with SUBSCRIBED. An old one does not: then a set counts as in force once it was sent. */
  acknowledges = false;
  /** Bytes of the largest message the server takes. */
  limit = 0;
  /** The version that is being gzipped: browsers do that in the background, and the next version must not overtake it. */
  /** Another server has the same set, which must not change now. */
  isFrozen = false;
  /** What to do once the set of another server has gone out to this one, whose word counts from `adopt` on. */
  #mirrored: ((fits: boolean) => void) | undefined;
  #answer: [number, ReadonlyMap<string, number>] | undefined;
  #compressing: { version: number; topics: string[]; text: Uint8Array } | undefined;

  constructor(
    readonly link: number,
    readonly subscriptions: SubscriptionSet,
    readonly emit: Emit,
  ) {}

  /** The server knows nothing of us yet: send the set. */
  begin(): void {
    if (this.subscriptions.outstanding) this.#make();
  }

  /** Send the set, if it differs from the one the server has. */
  update(): void {
    const mayChange = this.#compressing === undefined && !this.isFrozen && !this.#mirrored;
    if (this.subscriptions.changed && mayChange) this.#make();
  }

  /** Send the set that another server has; `mirrored` is called when it has gone out, or does not fit into a message. */
  mirror(mirrored: (fits: boolean) => void): void {
    this.#mirrored = mirrored;
    const [version, topics] = this.subscriptions.present();
    if (topics.length > 0) this.#encode(version, topics);
    else mirrored(true);
  }

  /** This is the server that counts now. */
  adopt(): void {
    this.#mirrored = undefined;
    if (this.#answer) this.acknowledged(...this.#answer);
  }

  /** As `begin`, whatever was mirrored. */
  beginAnew(): void {
    this.#mirrored = this.#compressing = undefined;
    this.begin();
  }

  /** The set was gzipped; where that failed, it goes as it is. */
  compressed(data: Uint8Array | null): void {
    const made = this.#compressing;
    if (made === undefined) return;
    this.#compressing = undefined;
    this.#send(made.version, made.topics, subscription(made.version, data ?? made.text, data !== null));
    this.update();
  }

  #make(): void {
    this.#encode(...this.subscriptions.nextVersion());
  }

  #encode(version: number, topics: string[]): void {
    const text = encodeText(topics.join(" "));
    if (text.length > GZIP_OVER) {
      this.#compressing = { version, topics, text };
      this.emit({ kind: "compress", link: this.link, data: text });
    } else {
      this.#send(version, topics, subscription(version, text, false));
    }
  }

  #send(version: number, topics: string[], message: Uint8Array): void {
    const fits = message.length <= this.limit;
    if (!fits && this.#mirrored) {
      this.#mirrored(false);
    } else if (!fits) {
      // The server keeps the set it has; what is new is refused in its name.
      const news = topics.filter((name) => !this.subscriptions.isAcknowledged(name));
      this.acknowledged(version, new Map(news.map((name) => [name, Code.MESSAGE_TOO_LARGE])));
    } else {
      this.emit({ kind: "sendPacket", link: this.link, data: message, reliable: true });
      if (this.#mirrored) this.#mirrored(true);
      else if (!this.acknowledges) this.acknowledged(version, new Map());
    }
  }

  /** SUBSCRIBED came. */
  acknowledged(version: number, refused: ReadonlyMap<string, number>): void {
    if (this.#mirrored) {
      this.#answer = [version, refused];
      return;
    }
    const news = this.subscriptions.acknowledge(version, refused);
    this.emit({ kind: "settled" });
    if (news.size > 0) this.emit({ kind: "refused", error: new SubscriptionRefused(news) });
  }
}
