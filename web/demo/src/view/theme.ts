// The colours of the plaza, by day and in the evening.

export interface Palette {
  readonly isDark: boolean;
  readonly grass: string;
  readonly grassTones: readonly string[];
  readonly flowers: readonly string[];
  readonly stone: string;
  readonly stoneTones: readonly string[];
  readonly joint: string;
  /** Bands along the borders of cells. */
  readonly band: string;
  readonly curb: string;
  readonly mosaic: readonly string[];
  readonly water: readonly [string, string];
  readonly ripple: string;
  readonly jet: string;
  readonly shadow: string;
  readonly trunk: string;
  readonly leaves: readonly (readonly [string, string])[];
  readonly bench: readonly [string, string];
  readonly post: string;
  readonly lamp: string;
  /** Light on the ground; empty by day. */
  readonly glow: string;
  /** Over what is not heard. */
  readonly veil: string;
  readonly edge: string;
  readonly name: string;
  readonly nameHalo: string;
  readonly bubble: string;
  readonly bubbleText: string;
  readonly bubbleEdge: string;
}

const DAY: Palette = {
  isDark: false,
  grass: "#b9cf97",
  grassTones: ["#b2c98f", "#c0d49e", "#adc58a", "#c6d8a6"],
  flowers: ["#f4e3ef", "#f6d7b0", "#ffffff", "#e8b9c9"],
  stone: "#e9dfcd",
  stoneTones: ["#e4d9c5", "#ede4d4", "#e7dbc6", "#e0d5c1", "#efe8da"],
  joint: "rgba(146, 126, 98, 0.22)",
  band: "#d3c3a8",
  curb: "#c5b498",
  mosaic: ["#d6b98d", "#e9d6b4", "#c79f76", "#f0e3c8"],
  water: ["#a9dbe0", "#6fb7c6"],
  ripple: "rgba(255, 255, 255, 0.75)",
  jet: "rgba(255, 255, 255, 0.85)",
  shadow: "rgba(70, 60, 50, 0.30)",
  trunk: "#8a6a4c",
  leaves: [
    ["#8fb573", "#6d9a58"],
    ["#a2bd6e", "#7fa054"],
    ["#7fae84", "#5c9068"],
    ["#eec3cf", "#d99db0"],
  ],
  bench: ["#a67c54", "#7d5c3e"],
  post: "#6c6a70",
  lamp: "#fff7e0",
  glow: "",
  veil: "rgba(239, 235, 224, 0.50)",
  edge: "rgba(120, 100, 70, 0.38)",
  name: "#3c342b",
  nameHalo: "rgba(255, 252, 244, 0.85)",
  bubble: "#fffdf7",
  bubbleText: "#2e2a25",
  bubbleEdge: "rgba(80, 66, 48, 0.22)",
};

const EVENING: Palette = {
  isDark: true,
  grass: "#1d2b2b",
  grassTones: ["#1b2828", "#203030", "#1a2626", "#223332"],
  flowers: ["#5a5570", "#6b5a4c", "#56687a", "#6a4a5e"],
  stone: "#353b4c",
  stoneTones: ["#323849", "#383f51", "#343a4b", "#2f3545", "#3b4254"],
  joint: "rgba(10, 12, 22, 0.42)",
  band: "#2a3042",
  curb: "#242a3a",
  mosaic: ["#4a4a63", "#3a4058", "#54506a", "#434a62"],
  water: ["#2f6477", "#1d4457"],
  ripple: "rgba(170, 225, 240, 0.55)",
  jet: "rgba(200, 238, 248, 0.75)",
  shadow: "rgba(4, 6, 14, 0.45)",
  trunk: "#3f3530",
  leaves: [
    ["#33514a", "#243d39"],
    ["#3b5548", "#293f36"],
    ["#2f4d4f", "#203a3d"],
    ["#5d4a60", "#463749"],
  ],
  bench: ["#54453c", "#3a302b"],
  post: "#1b1e29",
  lamp: "#ffdf9e",
  glow: "255, 205, 130",
  veil: "rgba(9, 12, 22, 0.52)",
  edge: "rgba(190, 200, 240, 0.30)",
  name: "#e9e6f2",
  nameHalo: "rgba(14, 17, 28, 0.80)",
  bubble: "#e8e6ee",
  bubbleText: "#1e2029",
  bubbleEdge: "rgba(0, 0, 0, 0.35)",
};

export function palette(isDark: boolean): Palette {
  return isDark ? EVENING : DAY;
}

/** A hue in degrees for a name of any size; neighbours are far apart. */
export function hueOf(alias: number): number {
  return Math.round(((alias % 100_003) * 0.618033988749895 * 360) % 360);
}

/** The same for a comm server: none of the colours of an alarm. */
export function serverHueOf(alias: number): number {
  return Math.round(150 + (hueOf(alias) / 360) * 170);
}

/** A number from 0 to below 1 for a place: always the same, looks random. */
export function scatter(x: number, y: number, salt = 0): number {
  let hash = (Math.imul(x, 374761393) + Math.imul(y, 668265263) + Math.imul(salt, 1442695041)) | 0;
  hash = Math.imul(hash ^ (hash >>> 13), 1274126177);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

export function pick<T>(choices: readonly T[], share: number): T {
  const found = choices[Math.min(choices.length - 1, Math.floor(share * choices.length))];
  if (found === undefined) throw new RangeError("nothing to pick from");
  return found;
}
