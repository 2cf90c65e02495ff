/** Numbers for people: three significant figures, a unit, and never a layout that jumps for a digit more. */

/** Between a number and its unit: narrow, and no line break. */
export const THIN = "\u202f";
/** For a number that is not known. */
export const NONE = "\u2013";

const DECIMAL = ["", "k", "M", "G", "T"] as const;
const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** Three significant figures, no exponent: 0.04, 1.23, 12.3, 123, 1230. Nothing below a hundredth is told apart from zero. */
function figures(value: number): string {
  const size = Math.abs(value);
  if (size >= 99.95 || Number.isInteger(value)) {
    return String(Math.round(value));
  }
  return size >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let unit = 0;
  let rest = value;
  // 999.5 would be written 1000 otherwise
  while (Math.abs(rest) >= step - 0.5 && unit < units.length - 1) {
    rest /= step;
    unit += 1;
  }
  const name = units[unit] ?? "";
  return name === "" ? figures(rest) : `${figures(rest)}${THIN}${name}`;
}

/** 7, 950, 1 204, 12.3 k, 1.23 M: a count is exact as long as it is short. */
export function count(value: number): string {
  if (!Number.isFinite(value)) {
    return NONE;
  }
  const whole = Math.round(value);
  if (Math.abs(whole) < 10_000) {
    return String(whole).replace(/(\d)(\d{3})$/, `$1${THIN}$2`);
  }
  return scaled(value, 1000, DECIMAL);
}

/** The same in at most five characters, for a place in which there is no room. */
export function shortCount(value: number): string {
  return Number.isFinite(value) ? scaled(Math.round(value), 1000, DECIMAL).replace(THIN, "") : NONE;
}

/** 0, 0.04, 3.2, 57, 4.56 k: a rate, for a place that says "per second" itself. */
export function rate(value: number): string {
  if (!Number.isFinite(value)) {
    return NONE;
  }
  if (value === 0 || value >= 9.95) {
    return scaled(value < 999.5 ? Math.round(value) : value, 1000, DECIMAL);
  }
  return value.toFixed(value < 0.05 ? 2 : 1);
}

/** 12.3 k/s. */
export function perSecond(value: number): string {
  return Number.isFinite(value) ? `${rate(value)}/s` : NONE;
}

/** 512 B, 1.2 MiB. */
export function bytes(value: number): string {
  return Number.isFinite(value) ? scaled(Math.abs(value) < 1024 ? Math.round(value) : value, 1024, BINARY) : NONE;
}

/** 1.2 MiB/s. */
export function bytesPerSecond(value: number): string {
  return Number.isFinite(value) ? `${bytes(value)}/s` : NONE;
}

/** Milliseconds in: 85 µs, 1.24 ms, 3.1 s. */
export function latency(milliseconds: number | null | undefined): string {
  if (milliseconds === null || milliseconds === undefined || !Number.isFinite(milliseconds)) {
    return NONE;
  }
  if (milliseconds < 0.9995) {
    return `${Math.round(milliseconds * 1000)}${THIN}µs`;
  }
  return milliseconds < 999.5 ? `${figures(milliseconds)}${THIN}ms` : `${figures(milliseconds / 1000)}${THIN}s`;
}

/** A share in, 43 % out; a share of one core may be above 100 %. */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) {
    return NONE;
  }
  const value = share * 100;
  if (value > 0 && value < 0.01) {
    return `<${THIN}0.01${THIN}%`;
  }
  return `${value >= 9.95 ? Math.round(value) : value === 0 ? 0 : value.toFixed(value < 0.995 ? 2 : 1)}${THIN}%`;
}

/** Processor time of many: 83 % of a core, or 62.1 cores. */
export function cores(share: number): string {
  return share < 10 || !Number.isFinite(share) ? percent(share) : `${figures(share)}${THIN}cores`;
}

/** The two largest units: 4 s, 2 min 5 s, 3 h 12 min, 12 d 4 h. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) {
    return NONE;
  }
  const whole = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3_600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) {
    return `0${THIN}s`;
  }
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount}${THIN}${unit}`)
    .join(" ");
}

/** 14:03:59 in the reader's own zone; `zone` is for tests. */
export function clock(epochSeconds: number, zone?: string): string {
  const date = new Date(epochSeconds * 1000);
  return Number.isNaN(date.getTime()) ? NONE : clockFormat(zone).format(date);
}

const formats = new Map<string | undefined, Intl.DateTimeFormat>();

function clockFormat(zone?: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (format === undefined) {
    const options: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
    format = new Intl.DateTimeFormat("en-GB", zone === undefined ? options : { ...options, timeZone: zone });
    formats.set(zone, format);
  }
  return format;
}

/** `2 servers`, `1 server`. */
export function plural(amount: number, one: string, many = `${one}s`): string {
  return `${count(amount)} ${amount === 1 ? one : many}`;
}

/** The end of a long name, where random numbers differ: …712384. */
export function shortName(name: string, length: number): string {
  return name.length <= length ? name : `\u2026${name.slice(1 - length)}`;
}

/** Letters that show nothing themselves and change how others are shown: controls, invisible ones, turns of direction. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A stranger's text with nothing hidden in it: what cannot be seen is written as U+202E. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (letter) => `U+${(letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`);
}
