// In the place of the SDK for the demo world: no cluster, and a crowd of 150 around whoever walks there, 20 times a second.

const CROWD = 150;
const HZ = 20;
const RUN = 7;
const BYTES = 32;

export class RtcBrokerError extends Error {}
export class AuthError extends RtcBrokerError {}

/** As zlib has it. */
function crc32(text) {
  let crc = -1;
  for (const byte of new TextEncoder().encode(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

class Client {
  state = "connected";
  alias = 1_000;
  server = 7;
  #you = { x: 12, y: 12 };
  #sequence = 0;

  async subscribe(topics, callback) {
    if (topics.length > 1) setInterval(() => this.#move(topics[Math.floor(topics.length / 2)], callback), 1000 / HZ);
    return { topics: new Set(topics), update: async () => {} };
  }

  /** Everyone goes round and round, on circles of up to 5 m. */
  #move(topic, callback) {
    const time = performance.now() / 1000;
    const mark = crc32(topic);
    this.#sequence += 1;
    for (let number = 0; number < CROWD; number += 1) {
      const body = new Uint8Array(BYTES);
      const view = new DataView(body.buffer);
      const angle = number * 2.4 + time * 0.3;
      const radius = 0.5 + (number % 50) / 11;
      for (const [index, value] of [RUN, number, this.#sequence, mark].entries()) view.setUint32(4 * index, value, true);
      view.setFloat64(16, time, true);
      view.setFloat32(24, this.#you.x + Math.cos(angle) * radius, true);
      view.setFloat32(28, this.#you.y + Math.sin(angle) * radius, true);
      callback({ topic, sender: number + 1, body });
    }
  }

  publishNowait(_topic, body) {
    if (body instanceof Uint8Array) {
      const view = new DataView(body.buffer);
      this.#you = { x: view.getFloat32(24, true), y: view.getFloat32(28, true) };
    }
    return true;
  }

  async publish() {}
  ping = async () => 0.001;
  on = () => () => {};
  async close() {}
}

export const connect = async () => new Client();
