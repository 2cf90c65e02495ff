// Why a TOPIC_BATCH group has parallel lists: bytes and time a record of the two layouts in JavaScript. `node bench/layouts.mjs`
//
//   nested    message Group { string topic = 1; repeated Record records = 2; }
//             message Record { uint64 from_alias = 1; bytes body = 2; }
//   parallel  message Group { string topic = 1; repeated uint64 from_alias = 2 [packed]; repeated bytes body = 3; }
//
// Both are read and written as generated code does it, upon the wire format of @bufbuild/protobuf. A record is what the SDK makes of it: an
// alias as a number, a body as a view.
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";

const TOPIC = "demo/cell/12/7";
const BODY_BYTES = 26; // a position in the demo world
const RECORDS = [1, 10, 40];
const ROUNDS = 15;
const ROUND_MS = 100;

const tag = (field, type) => (field << 3) | type;
const VARINT = 0;
const BYTES = 2;

const nested = {
  encode(topic, aliases, bodies) {
    const writer = new BinaryWriter();
    writer.uint32(tag(1, BYTES)).string(topic);
    for (let index = 0; index < bodies.length; index += 1) {
      writer.uint32(tag(2, BYTES)).fork();
      writer.uint32(tag(1, VARINT)).uint64(aliases[index]);
      writer.uint32(tag(2, BYTES)).bytes(bodies[index]);
      writer.join();
    }
    return writer.finish();
  },
  decode(data) {
    const reader = new BinaryReader(data);
    const group = { topic: "", aliases: [], bodies: [] };
    while (reader.pos < reader.len) {
      const field = reader.uint32() >>> 3;
      if (field === 1) group.topic = reader.string();
      else this.record(reader, reader.uint32(), group);
    }
    return group;
  },
  record(reader, length, group) {
    const end = reader.pos + length;
    while (reader.pos < end) {
      const field = reader.uint32() >>> 3;
      if (field === 1) group.aliases.push(Number(reader.uint64()));
      else group.bodies.push(reader.bytes());
    }
  },
};

const parallel = {
  encode(topic, aliases, bodies) {
    const writer = new BinaryWriter();
    writer.uint32(tag(1, BYTES)).string(topic);
    writer.uint32(tag(2, BYTES)).fork();
    for (const alias of aliases) writer.uint64(alias);
    writer.join();
    for (const body of bodies) writer.uint32(tag(3, BYTES)).bytes(body);
    return writer.finish();
  },
  decode(data) {
    const reader = new BinaryReader(data);
    const group = { topic: "", aliases: [], bodies: [] };
    while (reader.pos < reader.len) {
      const field = reader.uint32() >>> 3;
      if (field === 1) group.topic = reader.string();
      else if (field === 2) {
        const end = reader.uint32() + reader.pos;
        while (reader.pos < end) group.aliases.push(Number(reader.uint64()));
      } else group.bodies.push(reader.bytes());
    }
    return group;
  },
};

/** Microseconds a call: the median round, since the slowest ones are the garbage collector's or another process's. */
function cost(work) {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const began = performance.now();
    let calls = 0;
    do {
      for (let inner = 0; inner < 100; inner += 1) work();
      calls += 100;
    } while (performance.now() - began < ROUND_MS);
    rounds.push(((performance.now() - began) * 1_000) / calls);
  }
  return rounds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)];
}

function measure(layout, count) {
  // Six bytes as a varint: 2^35 to 2^42.
  const aliases = Array.from({ length: count }, (_, index) => 2 ** 35 + index * 7_919);
  const bodies = aliases.map((_, index) => new Uint8Array(BODY_BYTES).fill(index));
  const data = layout.encode(TOPIC, aliases, bodies);
  const back = layout.decode(data);
  if (String(back.aliases) !== String(aliases) || back.bodies.length !== count) throw new Error("not what was encoded");
  const around = 2 + TOPIC.length;
  return {
    bytes: (data.length - around) / count - BODY_BYTES,
    encode: cost(() => layout.encode(TOPIC, aliases, bodies)) / count,
    decode: cost(() => layout.decode(data)) / count,
  };
}

console.log(`node ${process.version}, bodies of ${BODY_BYTES} bytes, aliases of 6; the topic is not counted`);
console.log("records  layout    bytes a record  µs a record to encode  to decode");
for (const count of RECORDS) {
  for (const [name, layout] of Object.entries({ nested, parallel })) {
    const { bytes, encode, decode } = measure(layout, count);
    const cells = [bytes.toFixed(1).padStart(14), encode.toFixed(2).padStart(21), decode.toFixed(2).padStart(9)];
    console.log(`${String(count).padStart(7)}  ${name.padEnd(8)}  ${cells.join("  ")}`);
  }
}
