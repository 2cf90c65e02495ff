// Text as UTF-8, and what is asked of the platform for it: both are the same in every browser and in node.

interface Encoder {
  encode(text: string): Uint8Array;
}

interface Decoder {
  decode(bytes: Uint8Array): string;
}

declare const TextEncoder: new () => Encoder;
declare const TextDecoder: new () => Decoder;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** `text` as UTF-8; half a surrogate pair becomes U+FFFD. */
export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

/** UTF-8 as text; what is none becomes U+FFFD. */
export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
