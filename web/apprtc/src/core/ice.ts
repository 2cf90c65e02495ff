// STUN and TURN servers as they come from the room server, made fit for a browser: it takes all of them or throws.
import { array, fields, parse, text, texts } from "./json.ts";

export interface IceServer {
  readonly urls: string[];
  readonly username?: string;
  readonly credential?: string;
}

const STUN = /^stuns?:./i;
const TURN = /^turns?:./i;

/** The usable ones of a list; `transport` keeps only addresses that name it ("udp", "tcp"), empty keeps all. */
export function iceServers(list: unknown, transport: string): IceServer[] {
  return array(list).flatMap((one) => {
    const server = fields(one);
    const credentials = { username: text(server.username), credential: text(server.credential) };
    const hasCredentials = credentials.username !== "" && credentials.credential !== "";
    const named = typeof server.urls === "string" ? [server.urls] : texts(server.urls);
    const urls = named
      .filter((url) => STUN.test(url) || (TURN.test(url) && hasCredentials))
      .filter((url) => transport === "" || url.includes(`transport=${transport}`));
    if (urls.length === 0) return [];
    return [hasCredentials ? { urls, ...credentials } : { urls }];
  });
}

/** The servers in the answer of `ice_server_url`; undefined where it is none. */
export function parseIceReply(body: string, transport: string): IceServer[] | undefined {
  const reply = fields(parse(body));
  return Array.isArray(reply.iceServers) ? iceServers(reply.iceServers, transport) : undefined;
}
