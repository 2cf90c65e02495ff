// Where things are asked for. Everything of the room server lies beside the page, the message server where the room server says.

/** A page's place: the address of the home page, ending in a slash; the room; the page's query, empty or from "?" on. */
export interface Place {
  readonly base: string;
  readonly room: string;
  readonly query: string;
}

export function joinUrl({ base, room, query }: Place): string {
  return `${base}join/${room}${query}`;
}

export function messageUrl({ base, room, query }: Place, client: string): string {
  return `${base}message/${room}/${client}${query}`;
}

export function leaveUrl({ base, room, query }: Place, client: string): string {
  return `${base}leave/${room}/${client}${query}`;
}

/** A client at the message server, for POST and DELETE. */
export function colliderUrl(postUrl: string, { room }: Place, client: string): string {
  const [path = "", ...query] = postUrl.split("?");
  return [`${path.replace(/\/+$/, "")}/${room}/${client}`, ...query].join("?");
}
