// Several coordinators of one cluster: each dial goes to the next of them.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { connectOn } from "../src/client.ts";
import { ConnectError } from "../src/core/errors.ts";
import { Turns } from "../src/core/turns.ts";
import { connectUrls } from "../src/io/url.ts";
import { failure, Seen } from "./support/seen.ts";
import { type FakeSocket, World } from "./support/world.ts";

const URLS = ["ws://a:9090", "ws://b:9090"] as const;

const hosts = (world: World) => world.sockets.map(({ url }) => new URL(url).hostname);

/** Coordinators, of which those named are away. */
function coordinators(world: World, away: Set<string>): void {
  world.onDial = (socket: FakeSocket) => (away.has(new URL(socket.url).hostname) ? socket.end(1006) : socket.welcome());
}

describe("several coordinators", () => {
  test("the first is random, each further one the next", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (count, draw) => {
          const choices = Array.from({ length: count }, (_, index) => index);
          const turns = new Turns(choices, () => draw);
          const taken = Array.from({ length: 3 * count }, () => turns.next());
          for (const choice of choices) assert.equal(taken.filter((other) => other === choice).length, 3);
          assert.deepEqual(taken.slice(0, count), taken.slice(count, 2 * count));
        },
      ),
    );
    assert.equal(new Turns(["a", "b"], () => 0.49).next(), "a");
    assert.equal(new Turns(["a", "b"], () => 0.5).next(), "b");
  });

  test("one that is away at the start costs a pause and no more", async () => {
    const world = new World(5);
    world.random = () => 0.49; // the first
    coordinators(world, new Set(["a"]));
    const began = world.time;
    const client = await world.until(connectOn(world, URLS, {}));
    assert.equal(client.state, "connected");
    assert.deepEqual(hosts(world), ["a", "b"]);
    assert.ok(world.time - began < 0.5);
  });

  test("those that hang have half the time while another was not tried, and the reason names the last one's host", async () => {
    const world = new World(5);
    world.random = () => 0.49; // b, c, a
    const hung = new Set(["b", "c"]);
    const dialed: number[] = [];
    world.onDial = (socket: FakeSocket) => {
      dialed.push(world.time);
      if (!hung.has(new URL(socket.url).hostname)) socket.welcome();
    };
    const urls = ["ws://a:9090", "ws://b:9090", "wss://c/x?key=hush"];
    const client = await world.until(connectOn(world, urls, { token: "secret" }));
    assert.deepEqual(hosts(world), ["b", "c", "a"]);
    const [first = 0, second = 0, third = 0] = dialed;
    assert.ok(second - first >= 2.5 && second - first < 2.8 && third - second >= 2.5 && third - second < 3.1);
    await client.close();

    hung.add("a");
    world.sockets.length = dialed.length = 0;
    const patient = { token: "secret", options: { maxAttempts: 4, connectTimeout: 60 } };
    const error = await failure(world.until(connectOn(world, urls, patient)), ConnectError);
    const gaps = dialed.slice(1).map((time, index) => time - (dialed[index] ?? 0));
    assert.deepEqual(gaps.map(Math.floor), [2, 2, 5], "after a round in vain each has its full time");
    assert.match(error.reason, /^the coordinator did not answer in time: b:9090 cannot be reached, or /);
    const two = { token: "secret", options: { maxAttempts: 2 } };
    const other = await failure(world.until(connectOn(world, urls, two)), ConnectError);
    assert.match(other.reason, /in time: c cannot be reached/);
    assert.doesNotMatch(other.message, /hush|secret|\/x/);
    world.onDial = (socket: FakeSocket) => socket.end(1006);
    const away = await failure(world.until(connectOn(world, urls, two)), ConnectError);
    assert.match(away.reason, /^no connection to the coordinator: c is not there/);
  });

  test("one alone that hangs has all the time", async () => {
    const world = new World(5);
    world.onDial = () => undefined;
    const began = world.time;
    await failure(world.connect({ options: { maxAttempts: 1 } }), ConnectError);
    assert.ok(world.time - began >= 5);
  });

  test("a comma too many is no part of a host", async () => {
    assert.deepEqual(connectUrls("ws://a,", undefined), ["ws://a/connect"]);
    assert.deepEqual(connectUrls(" ,ws://a:1,, ws://b , ", undefined), ["ws://a:1/connect", "ws://b/connect"]);
    for (const url of ["ws://a,b:9090", ["ws://a,"], ["ws://a:9090,", "ws://b"]])
      assert.throws(() => connectUrls(url, undefined), { name: "TypeError", message: /is not the URL of a coordinator/ });
  });

  test("one that goes while a page is connected: the next is dialed, under the old alias, and the link lives on", async () => {
    const world = new World(5, 6);
    world.random = () => 0.49;
    const away = new Set<string>();
    coordinators(world, away);
    const client = await world.until(connectOn(world, URLS, {}));
    const seen = new Seen(client);
    away.add("a");
    world.socket.end(1006);
    await world.advance(1);
    assert.deepEqual(hosts(world), ["a", "b"]);
    assert.deepEqual([world.socket.query.get("alias"), world.socket.query.get("resume")], ["77", "proof"]);
    assert.deepEqual(seen.states, []);
    await world.advance(11);
    world.servers.get(5)?.die();
    await world.advance(2);
    assert.deepEqual([client.state, client.server], ["connected", 6]);
  });

  test("while all are away, all are tried in turn", async () => {
    const world = new World(5);
    const away = new Set(["a", "b", "c"]);
    coordinators(world, away);
    const connecting = connectOn(world, "ws://a:9090,  wss://b:9090/x?y=1,2 ,http://c:9090", {});
    await world.advance(5);
    const [first = "", second = "", third = ""] = hosts(world);
    assert.deepEqual([first, second, third].sort(), ["a", "b", "c"]);
    assert.deepEqual(hosts(world).slice(3, 6), [first, second, third]);
    assert.ok(world.sockets.some(({ url }) => url.startsWith("wss://b:9090/x/connect?y=1%2C2&v=2")));
    away.clear();
    assert.equal((await world.until(connecting)).state, "connected");
  });
});
