// The round-trip time, asked for again and again, one question at a time.
import type { Broker } from "./broker.ts";

export class Pinger {
  /** Seconds there and back; undefined while it is not known. */
  rtt: number | undefined;
  /** When the last answer came, by the clock. */
  answeredAt: number;
  private isAsking = false;

  /** @param clock seconds that never step back */
  constructor(
    private readonly broker: Pick<Broker, "state" | "ping">,
    private readonly clock: () => number,
  ) {
    this.answeredAt = clock();
  }

  async ask(): Promise<void> {
    if (this.isAsking) return;
    if (this.broker.state !== "connected") {
      this.rtt = undefined;
      return;
    }
    this.isAsking = true;
    try {
      this.rtt = await this.broker.ping();
      this.answeredAt = this.clock();
    } catch {
      this.rtt = undefined; // no answer: what the state says is told elsewhere
    } finally {
      this.isAsking = false;
    }
  }
}
