// Topics held, packets taken.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ClientClosed, NotConnected, RequestTimeout, SubscriptionRefused, TopicError } from "../src/core/errors.ts";
import { Format, MessageType, Role, TopicFWMessage, TopicIdentityFWMessage } from "../src/gen/broker.ts";
import { Code } from "../src/gen/constants.ts";
import { failure, Seen } from "./support/seen.ts";
import { bytes, World } from "./support/world.ts";

async function joined(prepare?: (world: World) => void) {
  const world = new World();
  const server = world.server(5);
  prepare?.(world);
  const client = await world.connect();
  return { world, server, client, seen: new Seen(client) };
}

describe("subscribing", () => {
  test("resolves when the server has acknowledged it, one message for all that a turn changes", async () => {
    const { world, server, client, seen } = await joined();
    server.acknowledges = false;
    let done = 0;
    const both = Promise.all(
      ["a", "b"].map((topic) =>
        client.subscribe(topic, seen.take).then((subscription) => {
          done += 1;
          return subscription;
        }),
      ),
    );
    await world.advance(1);
    assert.deepEqual(server.sets, [{ version: 1, topics: ["a", "b"], format: Format.PLAIN }]);
    assert.equal(done, 0);
    server.acknowledge(1, ["a", "b"]);
    const [a] = await world.until(both);
    assert.equal(done, 2);
    assert.deepEqual([...(a?.topics ?? [])], ["a"]);
  });

  test("packets go to whoever subscribed, own ones and strange ones to nobody", async () => {
    const { world, server, client, seen } = await joined();
    const other = new Seen(client);
    await world.until(client.subscribe(["a", "b"], seen.take));
    await world.until(client.subscribe("b", other.take));
    const sender = { alias: 9, identity: bytes("ann"), role: Role.CLIENT };
    server.batch([
      server.group("a", [
        [8, "one"],
        [77, "my own"],
      ]),
      server.group("b", [[9, "two"]], [sender]),
      server.group("c", [[9, "three"]]),
    ]);
    server.batch([server.group("b", [[9, '{"n": 4}']])], false);
    await world.settle();
    assert.deepEqual(seen.texts, ["one", "two", '{"n": 4}']);
    assert.deepEqual(other.texts, ["two", '{"n": 4}']);
    const [one, two, three] = seen.packets;
    assert.deepEqual([one?.topic, one?.sender, one?.reliable, one?.identity, one?.role], ["a", 8, true, undefined, undefined]);
    assert.deepEqual([two?.identity, two?.role], ["ann", "CLIENT"]);
    assert.deepEqual([three?.reliable, three?.json()], [false, { n: 4 }]);
    assert.equal(client.stats.received, 3);
    assert.equal(client.stats.dropped.not_subscribed, 1);
  });

  test("what is no message is counted, and the rest goes on", async () => {
    const { world, server, client, seen } = await joined();
    await world.until(client.subscribe("a", seen.take));
    const group = server.group("a", [[9, "x"]]);
    server.batch([{ ...group, fromAlias: [] }]);
    server.batch([{ ...group, fromAlias: [], body: [] }]);
    server.tell("a text");
    server.tell(Uint8Array.from([8, 10, 0xff]));
    server.tell(Uint8Array.from([8, 1]));
    server.tell(Uint8Array.from([8, 0xf8, 0x07])); // a type of the future
    server.batch([group]);
    await world.settle();
    assert.equal(client.stats.dropped.undecodable, 5);
    assert.deepEqual(seen.texts, ["x"]);
  });

  test("plain packets name their topic only where a single one is subscribed", async () => {
    const { world, server, client, seen } = await joined();
    const plain = () =>
      server.tell(TopicFWMessage.encode({ type: MessageType.TOPIC_FW, fromAlias: 9, body: bytes("x") }).finish());
    plain();
    await world.settle();
    assert.equal(client.stats.dropped.not_subscribed, 1);
    const subscription = await world.until(client.subscribe("a", seen.take));
    plain();
    await world.settle();
    await world.until(subscription.update({ add: ["b"] }));
    const identity = {
      type: MessageType.TOPIC_IDENTITY_FW,
      fromAlias: 9,
      identity: bytes("ann"),
      role: Role.CLIENT,
      body: bytes("y"),
    };
    server.tell(TopicIdentityFWMessage.encode(identity).finish());
    await world.settle();
    assert.deepEqual(
      seen.packets.map((packet) => [packet.topic, packet.identity]),
      [
        ["a", undefined],
        ["", "ann"],
      ],
    );
  });

  test("update changes topics in one message; close lets go", async () => {
    const { world, server, client, seen } = await joined();
    const subscription = await world.until(client.subscribe(["a", "b"], seen.take));
    const kept = await world.until(client.subscribe("b", () => undefined));
    await world.until(subscription.update({ add: ["c", "b", "a"], remove: ["b", "a", "z"] }));
    assert.deepEqual([...subscription.topics].sort(), ["a", "b", "c"], "a topic in both stays");
    await world.until(subscription.update({ add: ["d"], remove: ["a", "b"] }));
    assert.deepEqual(server.sets.at(-1)?.topics.sort(), ["b", "c", "d"]);
    await world.until(subscription.close());
    assert.deepEqual(server.sets.at(-1)?.topics, ["b"]);
    assert.deepEqual([...kept.topics], ["b"]);
    await subscription.close();
    await failure(subscription.update({ add: ["x"] }), Error);
    const sets = server.sets.length;
    await world.until(kept.update({}));
    assert.equal(server.sets.length, sets, "nothing changed, nothing sent");
  });

  test("a refused topic rejects, and leaves nothing behind", async () => {
    const { world, server, client, seen } = await joined();
    server.refused.set("secret", Code.NOT_ALLOWED);
    const error = await failure(world.until(client.subscribe(["a", "secret"], seen.take)), SubscriptionRefused);
    assert.deepEqual([...error.topics], [["secret", Code.NOT_ALLOWED]]);
    assert.match(error.message, /"secret": 4300/);
    await world.settle();
    assert.deepEqual(server.sets.at(-1)?.topics, []);
    assert.equal(seen.errors.length, 1, "told to on('error') too");
  });

  test("partial keeps what is allowed, and a later update leaves out only what is refused", async () => {
    const { world, server, client, seen } = await joined();
    server.refused.set("secret", Code.NOT_ALLOWED);
    const partial = await world.until(client.subscribe(["a", "secret"], seen.take, { partial: true }));
    assert.deepEqual([...partial.refused], [["secret", Code.NOT_ALLOWED]]);
    const strict = await world.until(client.subscribe("b", seen.take));
    await failure(world.until(strict.update({ add: ["c", "secret"] })), SubscriptionRefused);
    assert.deepEqual([...strict.topics], ["b", "c"]);
    server.refused.clear();
    await world.until(strict.update({ add: ["d"] }));
    assert.equal(partial.refused.size, 0, "a later version found it allowed");
  });

  test("a renewed token may take a topic away", async () => {
    const { world, server, client, seen } = await joined();
    const subscription = await world.until(client.subscribe(["a", "b"], seen.take));
    server.refused.set("b", Code.NOT_ALLOWED);
    server.acknowledge(1, ["a", "b"]);
    await world.settle();
    assert.deepEqual([...subscription.refused], [["b", Code.NOT_ALLOWED]]);
    assert.ok(seen.errors[0] instanceof SubscriptionRefused);
    server.refused.clear();
    server.acknowledge(99, []);
    await world.settle();
    assert.equal(subscription.refused.size, 1, "a version that was never sent says nothing");
  });

  test("topics outside the grammar are refused before anything is sent", async () => {
    const { world, server, client, seen } = await joined();
    for (const topic of ["", "a b", "a/*", "*", "x".repeat(257), "a\ud800"])
      await failure(client.subscribe(topic, seen.take), TopicError);
    await failure(client.subscribe([5 as unknown as string], seen.take), TypeError);
    await world.settle();
    assert.equal(server.sets.length, 0);
  });

  test("no acknowledgement in time: RequestTimeout, or NotConnected", async () => {
    const { world, server, client, seen } = await joined();
    server.acknowledges = false;
    await failure(world.until(client.subscribe("a", seen.take)), RequestTimeout);
    world.onDial = (socket) => socket.end(1006);
    world.servers.delete(5);
    world.socket.end(1006);
    world.connection.become("failed");
    const error = await failure(world.until(client.subscribe("b", seen.take)), NotConnected);
    assert.equal(error.seconds, 10);
    assert.match(error.message, /subscribe to 1 topics: not connected within 10 s/);
  });

  test("what was asked for while the connection was away is in force once it is back", async () => {
    const { world, client, seen } = await joined();
    await world.until(client.subscribe("a", seen.take));
    const six = world.server(6);
    world.connection.become("failed");
    const subscribed = client.subscribe("b", seen.take);
    world.servers.delete(5);
    await world.until(subscribed);
    assert.deepEqual(six.sets.at(-1)?.topics, ["a", "b"]);
  });

  test("closing the client ends all waits", async () => {
    const { world, server, client, seen } = await joined();
    server.acknowledges = false;
    const subscribed = failure(client.subscribe("a", seen.take), ClientClosed);
    await world.settle();
    await client.close();
    assert.equal((await subscribed).code, 1000);
    await failure(client.subscribe("a", seen.take), ClientClosed);
    await client.close();
  });

  test("a callback that throws is counted, and reported once", async () => {
    const { world, server, client, seen } = await joined();
    const bad = () => {
      throw new Error("oh");
    };
    await world.until(client.subscribe("a", bad));
    await world.until(client.subscribe("a", seen.take));
    for (const body of ["1", "2"]) server.batch([server.group("a", [[9, body]])]);
    await world.settle();
    assert.deepEqual([client.stats.dropped.callback, world.reported.length], [2, 1]);
    assert.deepEqual(seen.texts, ["1", "2"]);
  });

  test("a callback may close its client in the middle of a batch", async () => {
    const { world, server, client } = await joined();
    const texts: string[] = [];
    await world.until(
      client.subscribe("a", (packet) => {
        texts.push(packet.text());
        void client.close();
      }),
    );
    const records: [number, string][] = [
      [9, "1"],
      [9, "2"],
    ];
    server.batch([server.group("a", records)]);
    await world.settle();
    assert.deepEqual(texts, ["1", "2"]);
    assert.equal(client.state, "closed");
  });
});

describe("large sets", () => {
  const many = Array.from({ length: 200 }, (_, number) => `demo/cell/${number}/${number}`);

  test("are gzipped, and the next version does not overtake", async () => {
    const { world, server, client, seen } = await joined();
    const subscribed = client.subscribe(many, seen.take);
    await world.settle();
    assert.equal(server.sets[0]?.format, Format.GZIP);
    assert.deepEqual(server.sets[0]?.topics, many);
    const subscription = await world.until(subscribed);
    // While one version is being gzipped, the next one waits.
    const release = world.holdGzip();
    const first = subscription.update({ add: ["x"] });
    await world.settle();
    const second = subscription.update({ add: ["y"], remove: many });
    await world.settle();
    assert.equal(server.sets.length, 1);
    release();
    await world.until(Promise.all([first, second]));
    assert.deepEqual(
      server.sets.map(({ version, topics, format }) => [version, topics.length, format]),
      [
        [1, 200, Format.GZIP],
        [2, 201, Format.GZIP],
        [3, 2, Format.PLAIN],
      ],
    );
  });

  test("go as they are where the browser cannot gzip", async () => {
    const { world, server, client, seen } = await joined();
    world.gzipFails = true;
    await world.until(client.subscribe(many, seen.take));
    assert.equal(server.sets[0]?.format, Format.PLAIN);
  });

  test("a link that is lost meanwhile gets nothing", async () => {
    const { world, server, client, seen } = await joined();
    const release = world.holdGzip();
    const subscribed = client.subscribe(many, seen.take);
    await world.settle();
    world.connection.become("failed");
    await world.settle();
    release();
    await world.until(subscribed);
    assert.deepEqual(
      server.sets.map(({ version }) => version),
      [2],
    );
  });

  test("that fit no message are refused in the server's name", async () => {
    const { world, server, client, seen } = await joined((world) => {
      for (const server of world.servers.values()) server.maxMessageBytes = 2_000;
    });
    const small = await world.until(client.subscribe("a", seen.take));
    const error = await failure(world.until(client.subscribe(many, seen.take)), SubscriptionRefused);
    assert.equal(error.code, Code.MESSAGE_TOO_LARGE);
    assert.equal(error.topics.size, many.length);
    await world.settle();
    assert.deepEqual(server.sets.at(-1)?.topics, ["a"]);
    assert.equal(small.refused.size, 0);
  });
});

describe("reading", () => {
  test("without a callback packets wait in a queue, and the oldest give way", async () => {
    const { world, server, client } = await joined();
    const subscription = await world.until(client.subscribe("a", { queue: 3 }));
    for (const body of ["1", "2", "3", "4", "5"]) server.batch([server.group("a", [[9, body]])]);
    await world.settle();
    assert.deepEqual([subscription.dropped, client.stats.dropped.queue], [2, 2]);
    const texts: string[] = [];
    for await (const packet of subscription) {
      texts.push(packet.text());
      if (texts.length === 3) break;
    }
    assert.deepEqual(texts, ["3", "4", "5"]);
    const more = (async () => {
      for await (const packet of subscription) texts.push(packet.text());
    })();
    await world.settle();
    server.batch([server.group("a", [[9, "6"]])]);
    await world.settle();
    assert.equal(texts.at(-1), "6");
    await world.until(subscription.close());
    await more;
  });

  test("ends with an error where the client was told not to come back", async () => {
    const { world, server, client, seen } = await joined();
    const subscription = await world.until(client.subscribe("a"));
    server.batch([server.group("a", [[9, "1"]])]);
    server.close(Code.TOO_MANY_ERRORS);
    await world.settle();
    const texts: string[] = [];
    const reading = (async () => {
      for await (const packet of subscription) texts.push(packet.text());
    })();
    assert.equal((await failure(reading, ClientClosed)).code, Code.TOO_MANY_ERRORS);
    assert.deepEqual(texts, ["1"]);
    await subscription.close();
    assert.equal(seen.states.length, 1);
  });

  test("a callback takes the packets, or the loop does", async () => {
    const { world, client, seen } = await joined();
    const subscription = await world.until(client.subscribe("a", seen.take));
    const reading = (async () => {
      for await (const packet of subscription) seen.take(packet);
    })();
    await failure(reading, TypeError);
    assert.equal(subscription.dropped, 0);
    await failure(client.subscribe("b", { queue: 0 }), RangeError);
  });
});
