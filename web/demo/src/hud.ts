// The small print: which comm server, how far away, how much, how smoothly.
import type { BrokerState } from "./broker.ts";
import { byId, write } from "./dom.ts";
import { serverHueOf } from "./view/theme.ts";

export interface Readings {
  readonly state: BrokerState;
  /** Alias of the comm server, 0: none. */
  readonly server: number;
  /** Seconds. */
  readonly rtt: number | undefined;
  readonly inPerS: number;
  readonly outPerS: number;
  /** 0 to 1. */
  readonly loss: number | undefined;
  readonly others: number;
  readonly fps: number;
  /** Seconds. */
  readonly worstFrame: number;
}

const STATES: Readonly<Record<BrokerState, string>> = {
  new: "not connected",
  connecting: "connecting",
  connected: "connected",
  reconnecting: "moving",
  closed: "not connected",
};

export class Hud {
  private readonly box = byId("hud", HTMLElement);
  private readonly fields = Object.fromEntries(
    ["server", "state", "rtt", "in", "out", "loss", "others", "fps"].map((id) => [id, byId(id, HTMLElement)]),
  );

  show(readings: Readings): void {
    const { state, server } = readings;
    this.box.setAttribute("data-state", state);
    if (server) this.box.style.setProperty("--server-hue", String(serverHueOf(server)));
    this.write("server", server ? String(server) : "–");
    this.write("state", STATES[state]);
    for (const [id, text] of Object.entries(texts(readings))) this.write(id, text);
  }

  /** Show the frame rate, or no longer. */
  toggleFps(): void {
    const row = byId("fps-row", HTMLElement);
    row.hidden = !row.hidden;
  }

  private write(id: string, text: string): void {
    const field = this.fields[id];
    if (field) write(field, text);
  }
}

/** The readings as people read them. */
export function texts({ rtt, inPerS, outPerS, loss, others, fps, worstFrame }: Readings): Record<string, string> {
  return {
    rtt: rtt === undefined ? "–" : `${(rtt * 1000).toFixed(rtt < 0.01 ? 1 : 0)} ms`,
    in: `${Math.round(inPerS)}/s`,
    out: `${Math.round(outPerS)}/s`,
    loss: loss === undefined ? "–" : `${(loss * 100).toFixed(1)} %`,
    others: String(others),
    fps: `${Math.round(fps)} (longest ${Math.round(worstFrame * 1000)} ms)`,
  };
}
