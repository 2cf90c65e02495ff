// A connection that is lost, and made again.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ClientClosed, NotConnected, RequestRefused } from "../src/core/errors.ts";
import { MessageType, PingMessage } from "../src/gen/broker.ts";
import { Code } from "../src/gen/constants.ts";
import { failure, Seen } from "./support/seen.ts";
import { World } from "./support/world.ts";

async function joined(...aliases: number[]) {
  const world = new World(...aliases);
  const client = await world.connect();
  const seen = new Seen(client);
  await world.until(client.subscribe(["a", "b"], seen.take));
  await world.advance(11); // stable by now
  return { world, client, seen };
}

describe("reconnecting", () => {
  test("a server that dies: the next one within a second and a half, subscriptions and all", async () => {
    const { world, client, seen } = await joined(5, 6);
    world.servers.get(5)?.die();
    await world.advance(1.5);
    assert.deepEqual([client.state, client.server], ["connected", 6]);
    assert.deepEqual(seen.states, [["reconnecting", Code.TIMEOUT], ["connected"]]);
    const six = world.servers.get(6);
    assert.deepEqual(six?.sets.at(-1)?.topics, ["a", "b"]);
    six?.batch([six.group("b", [[9, "here"]])]);
    await world.settle();
    assert.deepEqual(seen.texts, ["here"]);
    assert.equal(client.stats.reconnects, 1);
    assert.ok(world.connections[0]?.isClosed);
  });

  test("a server that dies with packets on their way: they do not delay the move", async () => {
    const { world, client, seen } = await joined(5, 6);
    const five = world.servers.get(5);
    assert.ok(five);
    five.die();
    for (let late = 0; late < 5; late += 1) {
      five.batch([five.group("a", [[9, `late ${late}`]])]);
      await world.advance(0.04);
    }
    await world.advance(0.9);
    assert.deepEqual([client.state, client.server], ["connected", 6]);
    assert.equal(seen.texts.length, 5, "and none of them is lost");
  });

  test("a server that dies while UDP does not reach the next: on the third within five seconds", async () => {
    const { world, client, seen } = await joined(5, 6, 7);
    const six = world.servers.get(6);
    assert.ok(six);
    six.answered = () => undefined;
    world.servers.get(5)?.die();
    await world.advance(4.5);
    assert.deepEqual([client.state, client.server], ["connected", 7]);
    assert.deepEqual(seen.states, [["reconnecting", Code.TIMEOUT], ["connected"]]);
  });

  test("the last of an old list is hurried, too: the coordinator may know a newer one", async () => {
    const { world, client } = await joined(5, 6);
    const six = world.servers.get(6);
    assert.ok(six);
    six.answered = () => undefined;
    world.servers.get(5)?.die();
    world.servers.delete(6);
    world.server(7);
    world.servers.set(6, six);
    await world.advance(5);
    assert.deepEqual([client.state, client.server], ["connected", 7]);
  });

  test("a gone server that answers its probe is kept", async () => {
    const { world, client } = await joined(5, 6);
    world.socket.gone(5);
    await world.advance(5);
    assert.deepEqual([client.state, client.server, client.stats.joins], ["connected", 5, 1]);
  });

  test("silence: pinged every five seconds, lost after fifteen", async () => {
    const { world, client, seen } = await joined(5);
    const five = world.servers.get(5);
    assert.ok(five);
    const before = five.pings.length;
    await world.advance(20);
    assert.equal(five.pings.length, before + 4);
    five.isSilent = true;
    await world.advance(9);
    assert.equal(client.state, "connected");
    await world.advance(6.1);
    assert.deepEqual(seen.states[0], ["reconnecting", Code.TIMEOUT]);
  });

  test("CLOSE says where to go: the same server, another one, nowhere", async () => {
    const again = await joined(5, 6);
    again.world.servers.get(5)?.close(Code.SLOW_CONSUMER, "too slow");
    await again.world.advance(1);
    assert.equal(again.client.server, 5);
    const elsewhere = await joined(5, 6);
    elsewhere.world.servers.get(5)?.close(Code.SERVER_DRAINING);
    await elsewhere.world.advance(1);
    assert.equal(elsewhere.client.server, 6);
    const nowhere = await joined(5, 6);
    nowhere.world.servers.get(5)?.close(Code.TOO_MANY_ERRORS, "enough");
    await nowhere.world.advance(1);
    assert.deepEqual(nowhere.seen.states, [["closed", Code.TOO_MANY_ERRORS]]);
    const error = await failure(nowhere.client.publish("a", "x"), ClientClosed);
    assert.equal(error.code, Code.TOO_MANY_ERRORS);
  });

  test("a connection that is lost at once counts as a failed attempt, with a pause", async () => {
    const world = new World(5);
    world.random = () => 0.999;
    const client = await world.connect({ options: { backoffBase: 4 } });
    world.connection.become("failed");
    await world.advance(3.5);
    assert.equal(client.state, "reconnecting");
    await world.advance(1);
    assert.equal(client.state, "connected");
  });

  test("a channel that closes, a connection that is doubted", async () => {
    const { world, client, seen } = await joined(5);
    world.connection.become("disconnected");
    await world.advance(2);
    assert.equal(client.stats.joins, 1);
    world.connection.channel("unreliable").onclose?.();
    await world.advance(1);
    assert.equal(client.stats.joins, 2);
    assert.deepEqual(seen.states, [["reconnecting", Code.LINK_LOST], ["connected"]]);
  });

  test("the coordinator may be away meanwhile: it is dialed again, with the old alias", async () => {
    const { world, client } = await joined(5);
    world.socket.end(1006);
    await world.advance(1);
    assert.equal(client.state, "connected");
    assert.equal(world.sockets.length, 2);
    assert.equal(world.socket.query.get("alias"), "77");
    world.onDial = (socket) => socket.end(1006);
    world.socket.end(1006);
    await world.advance(10);
    assert.equal(client.state, "connected");
    world.connection.become("failed");
    await world.advance(5);
    assert.equal(client.state, "reconnecting");
    world.onDial = (socket) => socket.welcome();
    await world.advance(11);
    assert.equal(client.state, "connected");
  });

  test("the coordinator goes while joining: no full speed", async () => {
    const world = new World(5);
    let dials = 0;
    world.onDial = (socket) => {
      dials += 1;
      socket.welcome();
      if (dials < 4) socket.end(1012, "restarting");
    };
    const five = world.servers.get(5);
    assert.ok(five);
    const offer = five.asked.bind(five);
    five.asked = (socket) => (dials < 4 ? undefined : offer(socket));
    assert.equal((await world.connect()).state, "connected");
    assert.equal(dials, 4);
  });

  test("a coordinator that does not read is left", async () => {
    const { world, client } = await joined(5);
    world.socket.bufferedAmount = 1 << 20;
    world.connection.become("failed");
    await world.advance(1);
    assert.equal(world.sockets.length, 2);
    assert.equal(client.state, "connected");
  });

  test("the page's network comes back: a waiting dial is made at once", async () => {
    const { world, client } = await joined(5);
    world.random = () => 0.999;
    world.onDial = (socket) => socket.end(1006);
    world.connection.become("failed");
    world.socket.end(1006);
    await world.advance(60);
    assert.equal(client.state, "reconnecting");
    world.onDial = (socket) => socket.welcome();
    world.watcher?.networkChanged(false);
    await world.advance(0.01);
    assert.equal(client.state, "reconnecting");
    world.watcher?.networkChanged(true);
    await world.advance(0.01);
    assert.equal(client.state, "connected");
  });

  test("the page goes offline: a link that does not answer is lost in a second", async () => {
    const { world, client } = await joined(5);
    const five = world.servers.get(5);
    assert.ok(five);
    world.watcher?.networkChanged(false);
    await world.advance(3);
    assert.equal(client.state, "connected");
    five.isSilent = true;
    world.watcher?.networkChanged(false);
    await world.advance(1.1);
    assert.equal(client.state, "reconnecting");
  });

  test("a page that slept asks before it judges", async () => {
    const { world, client } = await joined(5);
    world.time += 3_600;
    await world.advance(1);
    assert.deepEqual([client.state, client.stats.joins], ["connected", 1]);
  });

  test("a page that goes away closes its client", async () => {
    const { world, client, seen } = await joined(5);
    world.watcher?.gone();
    assert.equal(client.state, "closed");
    assert.deepEqual(seen.states, [["closed"]]);
    assert.ok(world.connection.isClosed);
  });

  test("the server's own PING is echoed once, ours are not", async () => {
    const { world, client } = await joined(5);
    const five = world.servers.get(5);
    assert.ok(five);
    const own = PingMessage.encode({ type: MessageType.PING, time: 42.5 }).finish();
    five.tell(own, false);
    await world.settle();
    assert.deepEqual(five.messages.at(-1), own);
    const count = five.messages.length;
    five.pings.length = 0;
    const ping = client.ping();
    assert.equal(await world.until(ping), 0);
    assert.equal(five.pings.length, 1);
    assert.equal(five.messages.length, count + 1, "nothing was echoed twice, though the server sends all PINGs back");
  });

  test("ping without a connection, and while it is lost", async () => {
    const { world, client } = await joined(5);
    const five = world.servers.get(5);
    assert.ok(five);
    five.isSilent = true;
    const ping = failure(client.ping(), NotConnected);
    world.connection.become("failed");
    await ping;
    await failure(client.ping(), NotConnected);
    await client.close();
    await failure(client.ping(), ClientClosed);
  });

  test("what the server refuses is told, and the connection lives on", async () => {
    const { world, client, seen } = await joined(5);
    const off = client.on("error", () => {
      throw new Error("the application's own");
    });
    world.servers.get(5)?.error(Code.NOT_ALLOWED, "no grant", "secret");
    await world.settle();
    const [error] = seen.errors;
    assert.ok(error instanceof RequestRefused);
    assert.deepEqual([error.code, error.topic, error.retry], [Code.NOT_ALLOWED, "secret", "still connected"]);
    assert.match(error.message, /secret.*no grant/);
    assert.equal(world.reported.length, 1);
    off();
    world.servers.get(5)?.error(Code.RATE_LIMITED, "", "");
    await world.settle();
    assert.deepEqual([seen.errors.length, world.reported.length], [2, 1]);
    assert.throws(() => client.on("packet" as "error", () => undefined), TypeError);
  });

  test("an old server behind an old coordinator", async () => {
    const world = new World(5);
    world.resume = "";
    const five = world.servers.get(5);
    assert.ok(five);
    five.isOld = true;
    const client = await world.connect();
    const seen = new Seen(client);
    const one = await world.until(client.subscribe("a", seen.take));
    await client.publish("a", "x");
    await client.publish("a", "y");
    await world.settle();
    assert.deepEqual(
      five.heard.map(({ message }) => message),
      [...new Set(five.heard.map(({ message }) => message))],
      "no batches",
    );
    world.socket.end(1006);
    await world.advance(1);
    assert.equal(world.socket.query.get("alias"), null, "without a proof there is no use in asking");
    assert.deepEqual([...one.topics], ["a"]);
    assert.equal(five.tokens.length, 1);
  });
});
