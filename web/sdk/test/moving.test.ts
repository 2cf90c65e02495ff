// A server that asks its client to go: the next one first, then this one is left, and nothing is lost or comes twice.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { REMEMBERED, SYNC_TIMEOUT } from "../src/core/moving.ts";
import { Held, MAX_HELD_BYTES, MAX_ORIGINS, MAX_STAMPS, Seen as SeenGroups } from "../src/core/overlap.ts";
import { Capability, type TopicGroup } from "../src/gen/broker.ts";
import { Code } from "../src/gen/constants.ts";
import { Seen } from "./support/seen.ts";
import { type FakeServer, World } from "./support/world.ts";

async function joined(...topics: string[]) {
  const world = new World(5, 6);
  const client = await world.connect();
  const seen = new Seen(client);
  if (topics.length > 0) await world.until(client.subscribe(topics, seen.take));
  const [five, six] = [world.servers.get(5), world.servers.get(6)] as [FakeServer, FakeServer];
  return { world, client, seen, five, six };
}

/** Joined to 6 beside 5, whose answers to SYNC are held back. */
async function overlapping(...topics: string[]) {
  const made = await joined(...topics);
  made.five.holdsSync = made.six.holdsSync = true;
  made.five.move();
  await made.world.advance(0.1);
  assert.deepEqual([made.client.server, made.six.syncs], [5, [1]]);
  return made;
}

describe("moving", () => {
  test("the whole way", async () => {
    const { world, client, seen, five, six } = await overlapping("a");
    assert.deepEqual(six.sets, five.sets, "the same version of the same set");
    five.stamped("a", 1);
    six.stamped("a", 1);
    six.stamped("a", 2);
    await world.settle();
    assert.deepEqual(seen.texts, ["1"]);
    six.synced();
    await world.settle();
    assert.deepEqual(five.syncs, [1]);
    five.stamped("a", 2);
    six.stamped("a", 3);
    five.synced();
    await world.settle();
    assert.deepEqual(seen.texts, ["1", "2", "3"]);
    assert.deepEqual([client.state, client.server, seen.states], ["connected", 6, []]);
    assert.deepEqual([client.stats.joins, client.stats.moves, client.stats.reconnects], [2, 1, 0]);
    assert.ok(world.connections[0]?.isClosed);
    await world.advance(REMEMBERED);
  });

  test("what the present server had brought may come late by the next one", async () => {
    const { world, seen, five, six } = await overlapping("a");
    six.synced();
    await world.settle();
    for (const serial of [1, 2]) five.stamped("a", serial);
    five.synced();
    await world.settle();
    for (const serial of [1, 2, 3]) six.stamped("a", serial);
    for (const reliable of [true, false]) six.stamped("a", 4, "4", reliable);
    await world.settle();
    assert.deepEqual(seen.texts, ["1", "2", "3", "4", "4"]);
  });

  test("what is published reliably meanwhile waits, and goes to the next server", async () => {
    const { world, client, five, six } = await overlapping("a");
    await client.publish("b", "before");
    six.synced();
    await world.settle();
    assert.equal(client.publishNowait("b", "held back"), true);
    assert.equal(client.publishNowait("b", "at once", { reliable: false }), true);
    await world.settle();
    assert.deepEqual(
      five.heard.map(({ body }) => new TextDecoder().decode(body)),
      ["before", "at once"],
    );
    assert.deepEqual(six.heard, []);
    five.synced();
    await world.settle();
    assert.deepEqual(
      six.heard.map(({ body }) => new TextDecoder().decode(body)),
      ["held back"],
    );
    assert.deepEqual(client.stats.dropped.not_connected, 0);
  });

  test("subscriptions that change meanwhile wait, too", async () => {
    const { world, client, seen, five, six } = await overlapping("a");
    const subscribing = client.subscribe("b", seen.take);
    await world.settle();
    assert.equal(six.sets.length, 1);
    six.synced();
    await world.settle();
    five.synced();
    await world.until(subscribing);
    assert.deepEqual(six.sets.at(-1)?.topics, ["a", "b"]);
    assert.equal(five.sets.length, 1);
  });

  test("a large set is gzipped for the next server as well, before its SYNC", async () => {
    const topics = Array.from({ length: 400 }, (_, number) => `room/${number}`);
    const { world, client, five, six } = await joined(...topics);
    five.move();
    await world.advance(0.2);
    assert.equal(client.server, 6);
    assert.deepEqual(six.sets, five.sets);
  });

  test("without topics nothing is subscribed", async () => {
    const { world, client, five, six } = await joined();
    five.move();
    await world.advance(0.1);
    assert.deepEqual([client.server, six.sets], [6, []]);
  });

  test("topics that the next server refuses are told when it counts", async () => {
    const { world, client, seen, five, six } = await joined("a", "b");
    six.refused.set("b", Code.NOT_ALLOWED);
    five.move();
    await world.advance(0.1);
    assert.equal(client.server, 6);
    assert.equal(seen.errors.length, 1);
  });

  test("without another server it stays, and asks for one now and then", async () => {
    const { world, client, seen, five } = await joined("a");
    world.servers.delete(6);
    five.move();
    await world.advance(60);
    assert.deepEqual([client.server, seen.states], [5, []]);
    assert.ok(world.sockets.length > 3);
    world.server(7);
    await world.advance(11);
    assert.equal(client.server, 7);
  });

  test("a next server that does not answer SYNC is left for another", async () => {
    const { world, client, seen, six } = await overlapping("a");
    six.stamped("a", 1);
    world.server(7);
    await world.advance(SYNC_TIMEOUT);
    await world.advance(SYNC_TIMEOUT);
    assert.deepEqual(client.server === 6, false);
    assert.deepEqual([seen.states, seen.texts], [[], []]);
  });

  test("a present server that does not answer SYNC is left all the same", async () => {
    const { world, client, six } = await overlapping("a");
    six.synced();
    await world.advance(SYNC_TIMEOUT + 0.1);
    assert.equal(client.server, 6);
  });

  test("a next link that is lost at the last moment changes nothing", async () => {
    const { world, client, seen, five, six } = await overlapping("a");
    six.synced();
    await world.settle();
    assert.equal(client.publishNowait("b", "stays"), true);
    world.servers.delete(6);
    six.connection.become("failed");
    await world.settle();
    assert.deepEqual([client.server, seen.states, five.heard.length], [5, [], 1]);
  });

  test("where the present link is lost the next takes its place", async () => {
    const { world, client, seen, five, six } = await overlapping("a");
    six.stamped("a", 1);
    await world.settle();
    five.connection.become("failed");
    await world.settle();
    assert.deepEqual([client.state, client.server], ["connected", 6]);
    assert.deepEqual(
      seen.states.map(([state]) => state),
      ["reconnecting", "connected"],
    );
    assert.deepEqual(seen.texts, ["1"]);
    assert.equal(six.sets.length, 2);
  });

  test("an older server is joined without more ado", async () => {
    const { world, client, five, six } = await joined("a");
    six.capabilities = [Capability.BATCH, Capability.SUBSCRIBE_ACK, Capability.ERRORS];
    five.move();
    await world.advance(0.1);
    assert.deepEqual([client.server, six.sets.length, six.syncs], [6, 1, []]);
  });

  test("leaving in the middle goes by the present link", async () => {
    const { world, client, five, six } = await overlapping("a");
    six.synced();
    await world.settle();
    assert.equal(client.publishNowait("b", "goodbye"), true);
    await world.until(client.close());
    assert.deepEqual([five.heard.length, six.heard.length], [1, 0]);
    assert.ok(world.connections.every((connection) => connection.isClosed));
  });

  test("a next link that brings far too much is left", async () => {
    const { world, client, seen, six } = await overlapping("a");
    for (let serial = 1; serial < 80; serial++) six.stamped("a", serial, "x".repeat(60_000));
    world.servers.delete(6);
    await world.settle();
    assert.ok(six.connection.isClosed);
    assert.deepEqual([client.server, seen.texts], [5, []]);
  });
});

function group(serial: number, origin = 3, size = 0): TopicGroup {
  return { topic: "t", fromAlias: [9], body: [new Uint8Array(size)], identity: false, senders: [], origin, serial };
}

describe("what comes by two links", () => {
  test("on the unreliable channel the first counts, while it is remembered", () => {
    const seen = new SeenGroups();
    assert.ok(seen.isNew(group(1), false));
    assert.ok(seen.isNew(group(1), false));
    seen.remember();
    assert.ok(seen.isNew(group(2), false));
    assert.ok(!seen.isNew(group(2), false));
    assert.ok(seen.isNew(group(1), false));
    assert.ok(seen.isNew(group(0, 0), false), "an older server's");
    seen.forget();
    assert.ok(seen.isNew(group(2), false));
  });

  test("what is remembered is bounded", () => {
    const seen = new SeenGroups();
    seen.remember();
    for (let serial = 1; serial <= MAX_STAMPS + 1; serial++) seen.isNew(group(serial), false);
    assert.ok(seen.isNew(group(1), false));
    for (let origin = 1; origin <= MAX_ORIGINS + 1; origin++) seen.isNew(group(1, origin), true);
    assert.ok(!seen.has(group(1, 1)));
    assert.ok(seen.has(group(1, 2)));
  });

  test("what is held back is bounded, and what has come by the present link is let go", () => {
    const seen = new SeenGroups();
    const got: number[] = [];
    const held = new Held(seen, ({ serial }) => got.push(serial));
    const count = MAX_HELD_BYTES / 65_536 + 1;
    for (let serial = 1; serial <= count; serial++) held.batch({ type: 101, groups: [group(serial, 3, 65_536)] }, true);
    assert.ok(held.isOver);
    seen.isNew(group(count), true);
    held.batch({ type: 101, groups: [group(count + 1)] }, true);
    assert.ok(!held.isOver);
    held.release();
    assert.deepEqual(got, [count + 1]);
  });
});
