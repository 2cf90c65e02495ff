// What is published: together, in order, bounded.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ClientClosed, MessageTooLarge, NotConnected, RequestTimeout, TopicError } from "../src/core/errors.ts";
import { Capability } from "../src/gen/broker.ts";
import { MAX_CLIENT_MESSAGE_BYTES } from "../src/gen/constants.ts";
import { MAX_WAITING } from "../src/io/sender.ts";
import { failure } from "./support/seen.ts";
import { text, World } from "./support/world.ts";

async function joined(prepare?: (world: World) => void, options = {}) {
  const world = new World();
  const server = world.server(5);
  prepare?.(world);
  const client = await world.connect({ options });
  const channel = (reliable: boolean) => world.connection.channel(reliable ? "reliable" : "unreliable");
  return { world, server, client, channel };
}

describe("publishing", () => {
  test("bytes, texts and JSON, on both channels", async () => {
    const { world, server, client } = await joined();
    const own = Uint8Array.from([1, 2, 3]);
    await client.publish("a", own, { reliable: false });
    own.fill(0);
    await client.publish("a", own.buffer);
    await client.publish("b", "Grüße", { identity: true });
    await client.publishJson("c", { x: [1] });
    await failure(client.publishJson("c", undefined), TypeError);
    await failure(client.publish("c", 5 as unknown as string), TypeError);
    await world.settle();
    const heard = server.heard.map(({ topic, body, reliable, identity }) => [topic, text(body), reliable, identity]);
    assert.deepEqual(heard, [
      ["a", "\0\0\0", true, false],
      ["b", "Grüße", true, true],
      ["c", '{"x":[1]}', true, false],
      ["a", "\x01\x02\x03", false, false],
    ]);
    assert.equal(client.stats.sent, 4);
  });

  test("all of a turn share a message, loops of await included", async () => {
    const { world, server, client } = await joined();
    for (let number = 0; number < 10; number += 1) await client.publish("a", String(number));
    for (let number = 10; number < 20; number += 1) client.publishNowait("a", String(number));
    await world.settle();
    assert.deepEqual(
      server.heard.map(({ body }) => Number(text(body))),
      Array.from({ length: 20 }, (_, number) => number),
    );
    assert.equal(new Set(server.heard.map(({ message }) => message)).size, 1);
  });

  test("a server without batches gets packets one by one", async () => {
    const { world, server, client } = await joined((world) => {
      for (const server of world.servers.values()) server.capabilities = [Capability.SUBSCRIBE_ACK];
    });
    client.publishNowait("a", "1");
    client.publishNowait("a", "2");
    await world.settle();
    assert.equal(new Set(server.heard.map(({ message }) => message)).size, 2);
  });

  test("what cannot be sent is refused at once", async () => {
    const { client } = await joined((world) => {
      for (const server of world.servers.values()) server.maxMessageBytes = 500;
    });
    await failure(client.publish("a b", "x"), TopicError);
    const error = await failure(client.publish("a", new Uint8Array(500)), MessageTooLarge);
    assert.equal(error.limit, 500);
    assert.throws(() => client.publishNowait("", "x"), TopicError);
  });

  test("a server that tells no limit gets no more than it can pass on", async () => {
    const { client } = await joined();
    const error = await failure(client.publish("a", new Uint8Array(MAX_CLIENT_MESSAGE_BYTES)), MessageTooLarge);
    assert.equal(error.limit, MAX_CLIENT_MESSAGE_BYTES);
  });

  test("the session description may allow less than the server tells", async () => {
    const { world, client, channel } = await joined();
    channel(false).most = 10;
    await client.publish("a", new Uint8Array(50), { reliable: false });
    await world.settle();
    assert.equal(client.stats.dropped.too_large, 1);
  });

  test("a full buffer: unreliable packets are dropped, reliable ones wait in line", async () => {
    const { world, server, client, channel } = await joined(undefined, { reliableBuffer: 1_000, unreliableBuffer: 1_000 });
    for (const reliable of [true, false]) {
      channel(reliable).isStuck = true;
      assert.ok(client.publishNowait("a", new Uint8Array(1_100), { reliable }));
    }
    await world.settle();
    assert.equal(channel(true).bufferedAmountLowThreshold, 500);
    await client.publish("a", "lost", { reliable: false });
    assert.equal(client.publishNowait("a", "lost too"), false);
    assert.equal(client.stats.dropped.send_buffer, 2);
    let done = 0;
    const waiting = ["first", "second"].map((body) => client.publish("a", body).then(() => ++done));
    await world.advance(1);
    assert.equal(done, 0);
    assert.equal(client.publishNowait("a", "jumps the queue"), false);
    channel(true).drain();
    await world.until(Promise.all(waiting));
    await world.settle();
    assert.deepEqual(
      server.heard.slice(2).map(({ body }) => text(body)),
      ["first", "second"],
    );
  });

  test("waiting has an end: in time, in number, and with the client", async () => {
    const { world, client, channel } = await joined(undefined, { reliableBuffer: 100 });
    channel(true).isStuck = true;
    client.publishNowait("a", new Uint8Array(200));
    await world.settle();
    const late = failure(client.publish("a", "late"), RequestTimeout);
    await world.advance(10.1);
    assert.match((await late).message, /publish to "a": not done within 10 s/);
    assert.equal(client.stats.dropped.send_buffer, 1);
    const waiting = Array.from({ length: MAX_WAITING }, () => failure(client.publish("a", "x"), ClientClosed));
    const crowded = await failure(client.publish("a", "one too many"), RequestTimeout);
    assert.equal(crowded.message, `publish to "a": not taken, ${MAX_WAITING} others wait already`);
    assert.equal(client.stats.dropped.send_buffer, 2);
    channel(true).readyState = "closed";
    void client.close();
    await world.advance(3);
    await Promise.all(waiting);
    assert.equal(client.state, "closed");
    assert.throws(() => client.publishNowait("a", "x"), ClientClosed);
    const closed = await failure(client.publish("a", "x"), ClientClosed);
    assert.deepEqual(
      [closed.code, closed.message, closed.retry],
      [1000, "1000 closed by the application (do not retry)", "do not retry"],
    );
    assert.equal(world.timers, 0);
  });

  test("without a connection: reliable packets wait for one, others are dropped", async () => {
    const { world, server, client } = await joined();
    world.onDial = () => undefined;
    world.socket.end(1006);
    world.connection.become("failed");
    await world.settle();
    assert.equal(client.publishNowait("a", "x", { reliable: false }), false);
    assert.equal(client.stats.dropped.not_connected, 1);
    const waits = client.publish("a", "kept");
    await world.advance(4);
    world.onDial = (socket) => socket.welcome();
    await world.until(waits);
    await world.settle();
    assert.deepEqual(
      server.heard.map(({ body }) => text(body)),
      ["kept"],
    );
    world.onDial = () => undefined;
    world.socket.end(1006);
    world.connection.become("failed");
    await failure(world.until(client.publish("a", "lost")), NotConnected);
    assert.equal(client.stats.dropped.not_connected, 2);
    const waiting = Array.from({ length: MAX_WAITING }, () => failure(client.publish("a", "x"), ClientClosed));
    const crowded = await failure(client.publish("a", "one too many"), NotConnected);
    assert.equal(crowded.message, `publish to "a": not taken, ${MAX_WAITING} others wait already`);
    assert.equal(client.stats.dropped.not_connected, 3);
    await client.close();
    await Promise.all(waiting);
  });

  test("what a channel that is closing does not take was not too large", async () => {
    const { world, client, channel } = await joined();
    client.publishNowait("a", "x");
    channel(true).readyState = "closing";
    await world.settle();
    assert.deepEqual([client.stats.dropped.not_connected, client.stats.dropped.too_large, client.stats.sent], [1, 0, 0]);
  });

  test("what had not left when the connection was lost is counted", async () => {
    const { world, client } = await joined();
    client.publishNowait("a", "x");
    client.publishNowait("a", "y", { reliable: false });
    world.connection.become("failed");
    await world.settle();
    assert.equal(client.stats.dropped.not_connected, 2);
  });

  test("a packet in line that is too large for the next server", async () => {
    const { world, client } = await joined();
    world.onDial = () => undefined;
    world.socket.end(1006);
    world.connection.become("failed");
    await world.settle();
    const waits = failure(client.publish("a", new Uint8Array(2_000)), MessageTooLarge);
    for (const server of world.servers.values()) server.maxMessageBytes = 1_000;
    world.onDial = (socket) => socket.welcome();
    await world.advance(6);
    await waits;
  });

  test("close waits until the server has what was sent reliably", async () => {
    const { world, server, client } = await joined();
    client.publishNowait("a", "last words");
    const closing = client.close();
    await world.until(closing);
    assert.deepEqual(
      server.heard.map(({ body }) => text(body)),
      ["last words"],
    );
    assert.equal(server.pings.length, 1);
  });

  test("more topics than are remembered", async () => {
    const { world, server, client } = await joined(undefined, { reliableBuffer: 1 << 20 });
    for (let number = 0; number < 5_000; number += 1) client.publishNowait(`t/${number}`, "");
    await world.settle();
    assert.equal(server.heard.length, 5_000);
    assert.ok(server.messages.length < 50);
  });
});
