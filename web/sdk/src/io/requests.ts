// What an application asks of its client, with a deadline for every wait and a typed error for every way it may end.
import type { Sink } from "../core/delivery.ts";
import { ConnectError, NotConnected, RequestTimeout, type RtcBrokerError } from "../core/errors.ts";
import type { Driver } from "./driver.ts";
import { TimedOut } from "./waiting.ts";

/** The requests of one client, upon its driver. */
export class Requests {
  constructor(readonly driver: Driver) {}

  // ------------------------------------------------------------------------------------------------------- start and end

  /** Join a server; rejects with ConnectError or AuthError, and the client is closed then. */
  async connect(): Promise<void> {
    const { driver } = this;
    driver.start();
    try {
      await driver.connected.wait(null, driver.options.connectTimeout);
    } catch (error) {
      if (!(error instanceof TimedOut)) {
        driver.feed({ kind: "stop" });
        throw error;
      }
      const { code, reason } = driver.session.trouble(driver.platform.now());
      const cause = new ConnectError(code, reason);
      driver.feed({ kind: "stop", cause });
      throw cause;
    }
  }

  /** Leave, once the server has what was sent reliably. */
  async close(): Promise<void> {
    const { driver } = this;
    if (driver.session.joined) {
      driver.feed({ kind: "stay" });
      driver.flush();
      // The reliable channel keeps its order: once a PING is back, all that was sent before it has arrived.
      if (driver.sender.unconfirmed) await this.ping(driver.options.closeTimeout).catch(() => undefined);
    }
    driver.feed({ kind: "stop" });
  }

  // --------------------------------------------------------------------------------------------------------- subscribing

  /**
   * Subscribe `sink` to `add` and no longer to `remove`, in one message at the end of this turn. Returns the version to wait for (`settled`).
   * Throws ClientClosed.
   */
  change(add: readonly string[], remove: readonly string[], sink: Sink): number {
    this.mustBeOpen();
    const { driver } = this;
    driver.delivery.attach(add, sink);
    driver.delivery.detach(remove, sink);
    driver.subscriptions.hold(add);
    driver.subscriptions.release(remove);
    driver.flushSoon();
    return driver.subscriptions.awaitedVersion;
  }

  /** Wait until the server has `version` of the subscriptions. Rejects with NotConnected, RequestTimeout, ClientClosed. */
  async settled(version: number, what: string): Promise<void> {
    const { driver } = this;
    if (driver.subscriptions.settledVersion >= version) return;
    const seconds = driver.options.subscribeTimeout;
    await this.#inTime(driver.settled.wait(version, seconds), what, seconds);
  }

  // ---------------------------------------------------------------------------------------------------------- publishing

  /** Publish at the end of this turn; false where there is no connection or no room. Throws TopicError, MessageTooLarge, ClientClosed. */
  offer(topic: string, body: Uint8Array, reliable: boolean, identity: boolean): boolean {
    this.mustBeOpen();
    const taken = this.driver.sender.offer(topic, body, reliable, identity);
    if (taken) this.driver.flushSoon();
    return taken;
  }

  /** Publish reliably, once there is a connection and room. */
  async offerPatiently(topic: string, body: Uint8Array, identity: boolean): Promise<void> {
    const { sender } = this.driver;
    const what = `publish to ${JSON.stringify(topic)}`;
    await sender.wait(topic, body, identity, (seconds, why) => this.#late(what, seconds, why));
  }

  /** Seconds to the server and back. */
  async ping(seconds: number): Promise<number> {
    this.mustBeOpen();
    const { driver } = this;
    const sent = driver.session.ping(driver.platform.now());
    if (sent === undefined) throw new NotConnected("ping");
    const [number, outputs] = sent;
    const answer = driver.pings.wait(number, seconds);
    driver.perform(outputs);
    return this.#inTime(answer, "ping", seconds);
  }

  async #inTime<T>(waiting: Promise<T>, what: string, seconds: number): Promise<T> {
    try {
      return await waiting;
    } catch (error) {
      throw error instanceof TimedOut ? this.#late(what, seconds) : error;
    }
  }

  #late(what: string, seconds: number, why?: string): RtcBrokerError {
    const kind = this.driver.session.state === "connected" ? RequestTimeout : NotConnected;
    return new kind(what, seconds, why);
  }

  mustBeOpen(): void {
    if (this.driver.session.state === "closed") throw this.driver.closedError();
  }
}
