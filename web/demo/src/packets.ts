// The packets of a position, laid out as simulation/core/payload.py does: a header of 24 bytes, little-endian (run, sender, sequence, mark
// of the topic: 32 bits each; the sender's time in seconds: a double), then x and y in metres (floats). Bots have a run; people have run 0.

export const HEADER_BYTES = 24;
export const POSITION_BYTES = HEADER_BYTES + 8;

/** A position further out than this, in metres, is none. */
const MAX_M = 100_000;

export interface Position {
  readonly run: number;
  /** The number a sender gives itself: bots count from 0. Who it really is says the packet's sender. */
  readonly sender: number;
  readonly sequence: number;
  readonly mark: number;
  /** Seconds by the sender's own clock. */
  readonly time: number;
  readonly x: number;
  readonly y: number;
}

export function encodePosition(position: Position): Uint8Array {
  const body = new Uint8Array(POSITION_BYTES);
  const view = new DataView(body.buffer);
  view.setUint32(0, position.run, true);
  view.setUint32(4, position.sender, true);
  view.setUint32(8, position.sequence, true);
  view.setUint32(12, position.mark, true);
  view.setFloat64(16, position.time, true);
  view.setFloat32(24, position.x, true);
  view.setFloat32(28, position.y, true);
  return body;
}

/** The position a body says; undefined where it is none. */
export function decodePosition(body: Uint8Array): Position | undefined {
  if (body.byteLength < POSITION_BYTES) return undefined;
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const time = view.getFloat64(16, true);
  const x = view.getFloat32(24, true);
  const y = view.getFloat32(28, true);
  if (!Number.isFinite(time) || !(Math.abs(x) <= MAX_M) || !(Math.abs(y) <= MAX_M)) return undefined;
  return {
    run: view.getUint32(0, true),
    sender: view.getUint32(4, true),
    sequence: view.getUint32(8, true),
    mark: view.getUint32(12, true),
    time,
    x,
    y,
  };
}

/** 32 bits of the topic (CRC-32 as in zlib): a packet that comes under another topic than its own gives itself away. */
export function topicMark(topic: string): number {
  let crc = 0xffffffff;
  for (const byte of new TextEncoder().encode(topic)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
