/** The links between servers, as the picture draws them. Each end reports its own view; a link is one line. */

import type { ServerNow } from "./frames.ts";

export interface Link {
  key: string;
  /** The alias that sorts first. */
  from: string;
  to: string;
  /** Bytes per second from `from` to `to`. */
  forth: number;
  back: number;
}

/** More lines than this are a carpet, not a picture: only the busiest are drawn. */
export const MAX_LINKS = 80;
/** From here on lines are thinner and fainter. */
export const DENSE_LINKS = 24;
const DENSE_SHARE = 0.55;

export interface Links {
  drawn: Link[];
  /** How many there are, drawn or not, and what flows over them in bytes per second. */
  total: number;
  flow: number;
}

/** Of two views of one direction the larger counts: the other end may be silent, or a second late. */
export function linksOf(servers: readonly ServerNow[], limit = MAX_LINKS): Links {
  const here = new Set(servers.map((server) => server.alias));
  const links = new Map<string, Link>();
  for (const server of servers) {
    for (const { alias, bytes_in, bytes_out } of server.links) {
      if (!here.has(alias) || alias === server.alias) {
        continue;
      }
      const first = server.alias < alias;
      const [from, to] = first ? [server.alias, alias] : [alias, server.alias];
      const key = `${from} ${to}`;
      const link = links.get(key) ?? { key, from, to, forth: 0, back: 0 };
      link.forth = Math.max(link.forth, first ? bytes_out : bytes_in);
      link.back = Math.max(link.back, first ? bytes_in : bytes_out);
      links.set(key, link);
    }
  }
  const all = [...links.values()];
  const drawn = all.length <= limit ? all : all.sort((one, other) => traffic(other) - traffic(one)).slice(0, limit);
  return { drawn, total: all.length, flow: all.reduce((sum, link) => sum + traffic(link), 0) };
}

/** Bytes per second, both directions. */
export function traffic(link: Link): number {
  return link.forth + link.back;
}

const MIN_WIDTH = 1;
const MAX_WIDTH = 10;
/** A decade of traffic is this much width: 1 KiB/s is thin, 10 MiB/s is a pipe. */
const WIDTH_PER_DECADE = 1.8;
const THIN_BYTES = 256;

/** The width of a line in pixels: by the logarithm, so that it says the same at any time and in any cluster. */
export function linkWidth(bytesPerSecond: number, dense = false): number {
  const decades = Math.log10(Math.max(1, bytesPerSecond / THIN_BYTES));
  const width = Math.min(MAX_WIDTH, MIN_WIDTH + WIDTH_PER_DECADE * decades) * (dense ? DENSE_SHARE : 1);
  return Math.round(10 * width) / 10;
}
