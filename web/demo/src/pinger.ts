// The round-trip time, asked for again and again, one question at a time.
import type { Broker } from "./broker.ts";

export class Pinger {
  /** Seconds there and back; undefined while it is not known. */
  rtt: number | undefined;
  private isAsking = false;

  constructor(private readonly broker: Pick<Broker, "state" | "ping">) {}

  async ask(): Promise<void> {
    if (this.isAsking) return;
    if (this.broker.state !== "connected") {
      this.rtt = undefined;
      return;
    }
    this.isAsking = true;
    try {
      this.rtt = await this.broker.ping();
    } catch {
      this.rtt = undefined; // no answer: what the state says is told elsewhere
    } finally {
      this.isAsking = false;
    }
  }
}
