// Several coordinators of one cluster: each dial goes to the next of them.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { connectOn } from "../src/client.ts";
import { Turns } from "../src/core/turns.ts";
import { Seen } from "./support/seen.ts";
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
