// What a client tells, collected.
import type { Client } from "../../src/api.ts";
import type { RtcBrokerError } from "../../src/core/errors.ts";
import type { Packet } from "../../src/core/packet.ts";

export class Seen {
  readonly packets: Packet[] = [];
  readonly states: [string, number?][] = [];
  readonly errors: RtcBrokerError[] = [];

  constructor(client: Client) {
    client.on("state", (state, cause) => this.states.push(cause ? [state, cause.code] : [state]));
    client.on("error", (error) => this.errors.push(error));
  }

  take = (packet: Packet) => {
    this.packets.push(packet);
  };

  get texts(): string[] {
    return this.packets.map((packet) => packet.text());
  }
}

/** The error of a promise that is rejected. */
export async function failure<T extends Error>(promise: Promise<unknown>, kind: new (...args: never[]) => T): Promise<T> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof kind) return error;
    throw error;
  }
  throw new Error(`no ${kind.name} came`);
}
