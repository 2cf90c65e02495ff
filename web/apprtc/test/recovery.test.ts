// What goes wrong between two people and two servers, and how a call comes back from it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Person, ROOM, two, World } from "./support/world.ts";

const BYE = '{"type":"bye"}';

function areConnected(...people: Person[]): boolean {
  return people.every(({ state, tracks }) => state === "connected" && tracks.length === 2);
}

test("an interruption that passes is only told", async () => {
  const world = new World();
  const [first, second] = await two(world);
  const { connection } = first;
  connection.become("disconnected");
  await world.settle();
  assert.equal(first.state, "interrupted");
  connection.become("connected");
  await world.advance(60);
  assert.ok(areConnected(first, second));
  assert.equal(first.connection, connection);
});

for (const isInitiator of [true, false]) {
  test(`${isInitiator ? "the initiator's" : "the other's"} page is killed and opened again: they find each other`, async () => {
    const world = new World();
    let [stays, dies] = await two(world);
    if (isInitiator) [stays, dies] = [dies, stays];
    await dies.vanish();
    await world.advance(5);
    stays.connection.become("disconnected");
    const again = await new Person(world).enter();
    assert.equal(again.state, "full", "the servers wait ten seconds for a lost client");
    await world.advance(10);
    stays.connection.become("failed");
    await world.settle();
    assert.equal(stays.state, "interrupted");
    await world.advance(5);
    assert.equal(stays.state, "waiting: lost");
    await again.enter();
    assert.ok(areConnected(stays, again));
    await again.hangUp();
    assert.equal(stays.state, "waiting: left");
  });

  test(`${isInitiator ? "the initiator's" : "the other's"} page is back before the other has noticed`, async () => {
    const world = new World();
    let [stays, dies] = await two(world);
    if (isInitiator) [stays, dies] = [dies, stays];
    await dies.vanish();
    await world.advance(11);
    const again = await new Person(world).enter();
    await world.advance(5);
    stays.connection.become("failed");
    await world.advance(20);
    assert.ok(areConnected(stays, again));
  });
}

test("both lose each other at once, and have each other back", async () => {
  for (const later of [0, 1, 2.9, 3.7, 8]) {
    const world = new World();
    const [first, second] = await two(world);
    first.connection.become("failed");
    await world.advance(later);
    second.connection.become("failed");
    await world.advance(30);
    assert.ok(areConnected(first, second), `${later} s later: ${first.state}, ${second.state}`);
  }
});

test("the other loses the initiator long before it is noticed there", async () => {
  const world = new World();
  const [first, second] = await two(world);
  second.connection.become("failed");
  await world.advance(10);
  assert.ok(areConnected(first, second));
});

test("two who both take themselves for the initiator agree", async () => {
  // The smaller offer gives way, whoever made it.
  for (const sessions of [
    ["1", "2", "3"],
    ["2", "1", "3"],
  ]) {
    const world = new World();
    const [first, second] = await two(world);
    world.session = (count) => `${sessions[count % 2]}${count}`;
    first.driver.feed({ kind: "socketFrame", frame: JSON.stringify({ msg: BYE, error: "" }) });
    second.driver.feed({ kind: "socketFrame", frame: JSON.stringify({ msg: BYE, error: "" }) });
    await world.settle();
    assert.ok(areConnected(first, second), `${first.state}, ${second.state}`);
  }
});

test("who does not take a description is offered another, each time later", async () => {
  const world = new World();
  const first = await new Person(world).enter();
  first.connection.refuses = "answer";
  const second = await new Person(world).enter();
  assert.equal(first.state, "interrupted");
  await world.advance(10);
  assert.ok(areConnected(first, second));
});

test("an offer that changes the connection there is does not make another", async () => {
  const world = new World();
  const [first, second] = await two(world);
  const { connection } = second;
  const { sdp = "" } = first.connection.localDescription ?? {};
  second.driver.feed({ kind: "socketFrame", frame: JSON.stringify({ msg: JSON.stringify({ type: "offer", sdp }), error: "" }) });
  await world.settle();
  assert.equal(second.connection, connection);
  assert.equal(second.state, "connected");
});

test("messages that mean nothing here change nothing", async () => {
  const world = new World();
  const [first, second] = await two(world);
  const before = world.asked.length;
  const messages = [
    "",
    "nonsense",
    "[]",
    '{"type":"remove-candidates","candidates":[]}',
    '{"type":"offer"}',
    '{"type":"answer","sdp":"x"}',
  ];
  for (const msg of messages) {
    for (const person of [first, second])
      person.driver.feed({ kind: "socketFrame", frame: JSON.stringify({ msg, error: "no" }) });
  }
  first.driver.feed({ kind: "socketFrame", frame: "no frame" });
  await world.settle();
  assert.ok(areConnected(first, second));
  assert.equal(world.asked.length, before);
});

// -------------------------------------------------------------------------------------------------------------------- servers

test("without its socket the other speaks to the message server by POST", async () => {
  const world = new World();
  const first = await new Person(world).enter();
  const second = new Person(world);
  const { webSocket } = second;
  second.webSocket = (url) => {
    const socket = webSocket.call(second, url);
    (socket as unknown as { readyState: number }).readyState = 9; // never opens
    return socket;
  };
  await second.enter();
  assert.ok(areConnected(first, second));
  assert.equal(world.count("SEND"), 0);
  await second.hangUp();
  assert.equal(first.state, "waiting: left");
  const last = world.asked.filter(({ url }) => url.startsWith("http://collider.test")).slice(-2);
  assert.deepEqual(
    last.map(({ what, body }) => [what, body]),
    [
      ["POST", BYE],
      ["DELETE", ""],
    ],
  );
});

test("a lost socket is opened again, and the call goes on meanwhile", async () => {
  const world = new World();
  const [first, second] = await two(world);
  for (const person of [first, second]) person.sockets.at(-1)?.lose();
  await world.settle();
  assert.ok(areConnected(first, second));
  assert.deepEqual(first.reachable, [false]);
  await world.advance(3);
  assert.deepEqual(first.reachable, [false, true]);
  assert.equal(world.count("REGISTER"), 4);
  await second.hangUp();
  assert.equal(first.state, "waiting: left", "it hears again");
});

test("a socket that never opens is given up and tried again, later and later", async () => {
  const world = new World();
  const person = new Person(world);
  const times: number[] = [];
  const { webSocket } = person;
  person.webSocket = (url) => {
    times.push(world.time);
    const socket = webSocket.call(person, url);
    (socket as unknown as { readyState: number }).readyState = 9;
    return socket;
  };
  await person.enter();
  await world.advance(100);
  const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0) - 10);
  assert.ok(pauses.length >= 5, pauses.join());
  assert.deepEqual(pauses.slice(0, 6), [0.375, 0.75, 1.5, 3, 6, 6]);
});

test("an address of the message server that is none is told as one that cannot be reached", async () => {
  const world = new World();
  const person = new Person(world);
  person.webSocket = () => {
    throw new SyntaxError("no address");
  };
  await person.enter();
  assert.deepEqual(person.reachable, [false]);
  await person.hangUp();
  assert.equal(person.state, "left");
});

test("a message that did not get through is sent again, before all others", async () => {
  const world = new World();
  const first = new Person(world);
  let failures = 3;
  world.intercept = ({ what, url }) => {
    if (what !== "POST" || !url.includes("/message/") || failures === 0) return undefined;
    failures -= 1;
    return (
      [
        { status: 500, body: "" },
        { status: 0, body: "" },
        { status: 200, body: '{"result":"ERROR"}' },
      ][failures] ?? undefined
    );
  };
  await first.enter();
  assert.deepEqual(first.reachable, [false]);
  await world.advance(10);
  assert.deepEqual(first.reachable, [false, true]);
  const [occupant] = world.roomServer.rooms.get(ROOM) ?? [];
  assert.deepEqual(
    occupant?.stored.map((message) => JSON.parse(message).type),
    ["offer", "candidate", "candidate"],
  );
  const second = await new Person(world).enter();
  assert.ok(areConnected(first, second));
});

test("a room server that forgot us is joined anew", async () => {
  const world = new World();
  const first = await new Person(world).enter();
  world.restart();
  await world.advance(5);
  assert.equal(first.state, "waiting: first");
  assert.equal(world.roomServer.rooms.get(ROOM)?.length, 1);
  const second = await new Person(world).enter();
  assert.ok(areConnected(first, second));
});

test("servers that start anew do not end a call; when one hangs up, the other is in the room again", async () => {
  for (const who of [0, 1]) {
    const world = new World();
    const people = await two(world);
    world.restart();
    await world.advance(20);
    assert.ok(areConnected(...people));
    const [leaves, stays] = who === 0 ? people : ([...people].reverse() as typeof people);
    await leaves.hangUp();
    await world.advance(5);
    assert.equal(stays.state, "waiting: first");
    await leaves.enter();
    assert.ok(areConnected(leaves, stays));
  }
});

test("a room of two that the servers know nothing of any more comes to itself", async () => {
  // Both came when their places were forgotten: one is in the room, the other only thinks so.
  const world = new World();
  const first = await new Person(world).enter();
  const second = new Person(world);
  let isHeld = true;
  world.intercept = ({ what }) => (what === "POST" && isHeld ? { status: 0, body: "" } : undefined);
  for (const occupant of world.roomServer.rooms.get(ROOM) ?? []) occupant.stored.length = 0;
  await second.enter();
  assert.equal(second.state, "connecting");
  isHeld = false;
  await world.advance(9);
  assert.equal(world.asked.filter(({ body }) => body === BYE).length, 0);
  await world.advance(2);
  assert.equal(world.asked.filter(({ body }) => body === BYE).length, 1, "a bye makes the first offer anew");
  assert.ok(areConnected(first, second));
});

test("who is never offered anything joins anew", async () => {
  const world = new World();
  const silent = world.roomServer.join(ROOM); // takes a place and says nothing
  assert.ok(silent);
  const person = await new Person(world).enter();
  assert.equal(person.state, "connecting");
  await world.advance(29);
  assert.equal(world.count("JOIN"), 1);
  await world.advance(5);
  assert.equal(world.count("JOIN"), 2);
  assert.equal(world.count("LEAVE"), 1);
  assert.equal(world.roomServer.rooms.get(ROOM)?.length, 2, "and is in the room once");
});

test("a message that is refused ends the stay, but not a call that stands", async () => {
  const world = new World();
  const person = new Person(world);
  world.intercept = ({ what }) => (what === "POST" ? { status: 401, body: '{"reason":"expired"}' } : undefined);
  await person.enter();
  assert.deepEqual(person.call.state, { name: "failed", why: "unauthorized", detail: "expired" });
  assert.equal(world.roomServer.rooms.size, 0);
  world.intercept = () => undefined;
  const [first, second] = await two(world);
  world.intercept = ({ what }) => (what === "POST" ? { status: 401, body: "" } : undefined);
  first.connection.onicecandidate?.({ candidate: { candidate: "candidate:late", sdpMLineIndex: 0, sdpMid: "0" } });
  await world.settle();
  assert.ok(areConnected(first, second));
});

test("servers that do not answer do not keep anybody from leaving", async () => {
  const world = new World();
  const [first] = await two(world);
  world.isOnline = false;
  for (const socket of [...world.sockets]) socket.lose();
  await world.settle();
  await first.hangUp();
  assert.equal(first.state, "leaving");
  await world.advance(7);
  assert.equal(first.state, "left");
  assert.ok(first.connection.isClosed);
});

test("what never gets through does not pile up", async () => {
  const world = new World();
  const person = new Person(world);
  world.intercept = ({ what }) => (what === "POST" ? { status: 503, body: "" } : undefined);
  await person.enter();
  for (let number = 0; number < 3_000; number += 1) {
    person.connection.onicecandidate?.({ candidate: { candidate: `candidate:${number}`, sdpMLineIndex: 0, sdpMid: "0" } });
  }
  world.intercept = () => undefined;
  await world.advance(10);
  assert.equal(world.roomServer.rooms.get(ROOM)?.[0]?.stored.length, 1_024);
});
