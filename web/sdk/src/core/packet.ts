// What an application receives.
import { decodeText } from "./text.ts";

/** What a sender was verified as. */
export type SenderRole = "CLIENT" | "COMMUNICATION_SERVER" | "COMMUNICATION_SERVER_HUB";

/** One packet of a topic. */
export class Packet {
  /**
   * @param topic empty where an old server, which does not say it, sent the packet while several topics were subscribed
   * @param sender alias of the client that published it, as the server knows it
   * @param body a view into the message it came in: copy it (`body.slice()`) to keep it for long
   * @param reliable the kind of channel it came by, which is the kind it was sent by
   * @param identity the sender's verified identity (its token's subject), if it published with `identity: true`
   * @param role the sender's verified role, where `identity` is given
   */
  constructor(
    readonly topic: string,
    readonly sender: number,
    readonly body: Uint8Array,
    readonly reliable: boolean,
    readonly identity: string | undefined = undefined,
    readonly role: SenderRole | undefined = undefined,
  ) {}

  /** The body as UTF-8 text; what is none is replaced by U+FFFD. */
  text(): string {
    return decodeText(this.body);
  }

  /** The body as JSON. Throws SyntaxError for what is none. */
  json<T = unknown>(): T {
    return JSON.parse(this.text()) as T;
  }
}
