// A call as its people see it, between servers that are as AppRTC's are.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Call } from "../src/core/call.ts";
import type { Event, Output } from "../src/core/events.ts";
import { Driver } from "../src/io/driver.ts";
import { FakeStream } from "./support/connection.ts";
import { ORIGIN, POST_URL } from "./support/servers.ts";
import { Person, QUERY, ROOM, two, World } from "./support/world.ts";

const said = (body: string): string => JSON.parse(body).type;

function bothAreConnected(...people: Person[]): void {
  for (const person of people) {
    assert.equal(person.state, "connected");
    assert.deepEqual(person.tracks.map(({ kind }) => kind).sort(), ["audio", "video"]);
  }
}

test("the first waits, the second comes, both are connected", async () => {
  const world = new World();
  const first = await new Person(world).enter();
  assert.equal(first.state, "waiting: first");
  assert.deepEqual(
    first.states.map(({ name }) => name),
    ["joining", "waiting"],
  );
  const second = await new Person(world).enter();
  bothAreConnected(first, second);
  assert.deepEqual(
    second.states.map(({ name }) => name),
    ["joining", "connecting", "connecting", "connected"],
  );
});

test("each speaks by its own way, in the right order, with the page's query", async () => {
  const world = new World();
  await two(world);
  const [one, other] = world.roomServer.rooms.get(ROOM) ?? [];
  const asked = world.asked.map(({ what, url, body }) => [what, url, what === "POST" || what === "SEND" ? said(body) : body]);
  const message = `${ORIGIN}message/${ROOM}/${one?.id}${QUERY}`;
  assert.deepEqual(asked, [
    ["JOIN", `${ORIGIN}join/${ROOM}${QUERY}`, ""],
    ["ICE", `${ORIGIN}v1alpha/iceconfig?key=`, ""],
    ["REGISTER", "ws://collider.test/ws", JSON.stringify({ cmd: "register", roomid: ROOM, clientid: one?.id })],
    ["POST", message, "offer"],
    ["POST", message, "candidate"],
    ["POST", message, "candidate"],
    ["JOIN", `${ORIGIN}join/${ROOM}${QUERY}`, ""],
    ["ICE", `${ORIGIN}v1alpha/iceconfig?key=`, ""],
    ["REGISTER", "ws://collider.test/ws", JSON.stringify({ cmd: "register", roomid: ROOM, clientid: other?.id })],
    ["SEND", "ws://collider.test/ws", "answer"],
    ["SEND", "ws://collider.test/ws", "candidate"],
    ["SEND", "ws://collider.test/ws", "candidate"],
  ]);
});

test("connections are made as the servers say", async () => {
  const world = new World();
  const [first] = await two(world);
  assert.deepEqual(first.connection.config, {
    iceServers: [{ urls: ["stun:stun.test"] }],
    bundlePolicy: "max-bundle",
    rtcpMuxPolicy: "require",
  });
  world.roomServer.more = { pc_config: '{"iceServers": [{"urls": ["stun:own.test"]}], "iceTransports": "relay"}' };
  const person = await new Person(world, "other").enter();
  assert.deepEqual(person.connection.config, { iceServers: [{ urls: ["stun:own.test"] }], iceTransportPolicy: "relay" });
  assert.equal(world.count("ICE"), 2, "who has servers asks for none");
});

test("without an answer about ICE servers it goes on without them", async () => {
  const world = new World();
  world.intercept = ({ what }) => (what === "ICE" ? { status: 503, body: "" } : undefined);
  bothAreConnected(...(await two(world)));
  world.roomServer.more = { ice_server_url: "" };
  const person = await new Person(world, "other").enter();
  assert.deepEqual(person.connection.config.iceServers, []);
});

test("what comes over the socket before the ICE servers do is not lost", async () => {
  const world = new World();
  const first = await new Person(world).enter();
  let isHeld = true;
  world.intercept = ({ what }) => (what === "ICE" && isHeld ? { status: 0, body: "" } : undefined);
  const second = new Person(world);
  const { request } = second;
  const held: (() => void)[] = [];
  second.request = (method, url, body, seconds) =>
    url.includes("iceconfig")
      ? new Promise((resolve) => held.push(() => resolve(request.call(second, method, url, body, seconds))))
      : request.call(second, method, url, body, seconds);
  await second.enter();
  assert.equal(second.connections.length, 0);
  // The first begins anew, as on a bye: its new offer comes by the socket.
  second.sockets[0]?.send(JSON.stringify({ cmd: "send", msg: '{"type":"bye"}' }));
  await world.settle();
  assert.equal(second.connections.length, 0);
  isHeld = false;
  for (const release of held) release();
  await world.settle();
  bothAreConnected(first, second);
});

test("a third is told that the room is full, and comes in when one has left", async () => {
  const world = new World();
  const [first, second] = await two(world);
  const third = await new Person(world).enter();
  assert.equal(third.state, "full");
  assert.equal(third.sockets.length, 0);
  await second.hangUp();
  await third.enter();
  bothAreConnected(first, third);
});

test("hanging up is told in this order: leave, bye, the socket's end, DELETE", async () => {
  const world = new World();
  const [first, second] = await two(world);
  const before = world.asked.length;
  const [, { id = "" } = {}] = world.roomServer.rooms.get(ROOM) ?? [];
  let wasClosed: boolean | undefined;
  world.intercept = ({ what }) => {
    if (what === "DELETE") wasClosed = second.sockets[0]?.readyState === 3;
    return undefined;
  };
  await second.hangUp();
  const own = world.asked.slice(before).filter(({ url }) => url.includes(id) || url.startsWith("ws:"));
  assert.deepEqual(
    own.map(({ what, url, body }) => [what, url, body]),
    [
      ["LEAVE", `${ORIGIN}leave/${ROOM}/${id}${QUERY}`, ""],
      ["SEND", "ws://collider.test/ws", '{"type":"bye"}'],
      ["DELETE", `${POST_URL}/${ROOM}/${id}`, ""],
    ],
  );
  assert.equal(wasClosed, true);
  assert.equal(second.state, "left");
  assert.ok(second.connection.isClosed);
  assert.deepEqual(second.tracks, []);
  assert.equal(first.state, "waiting: left");
});

for (const isInitiator of [true, false]) {
  test(`${isInitiator ? "the initiator" : "the other"} leaves and comes back, as often as they like`, async () => {
    const world = new World();
    let [stays, goes] = await two(world);
    if (isInitiator) [stays, goes] = [goes, stays];
    for (let round = 0; round < 3; round += 1) {
      await goes.hangUp();
      assert.equal(stays.state, "waiting: left");
      assert.equal(world.roomServer.rooms.get(ROOM)?.length, 1);
      // The one left speaks as the initiator: what it says is kept for whoever comes.
      assert.equal(world.roomServer.rooms.get(ROOM)?.[0]?.stored.length, 3);
      await goes.enter();
      bothAreConnected(stays, goes);
    }
    await stays.hangUp();
    await goes.hangUp();
    assert.equal(world.roomServer.rooms.size, 0);
    assert.equal(
      [...world.collider.rooms.values()].reduce((sum, clients) => sum + clients.size, 0),
      0,
    );
    assert.equal(world.timers.size, 0);
    assert.ok(world.connections.every(({ isClosed }) => isClosed));
  });
}

test("a page that goes away says so at once", async () => {
  const world = new World();
  const [first, second] = await two(world);
  const requests: string[] = [];
  const { request } = second;
  second.request = (method, url, body, seconds, urgent = false) => {
    requests.push(`${method} ${urgent ? "urgent" : "calm"}`);
    return request.call(second, method, url, body, seconds);
  };
  second.driver.feed({ kind: "pageGone" });
  assert.deepEqual(requests, ["POST urgent", "DELETE urgent"], "nothing waits for an answer");
  await world.settle();
  assert.equal(second.state, "left");
  assert.equal(first.state, "waiting: left");
  second.driver.feed({ kind: "pageGone" });
  assert.equal(requests.length, 2);
});

test("who has no camera and no microphone sees and hears the other all the same", async () => {
  const world = new World();
  const first = new Person(world);
  first.stream = undefined;
  await first.enter();
  assert.deepEqual(
    first.connection.transceivers.map(({ kind, direction }) => `${kind} ${direction}`),
    ["audio recvonly", "video recvonly"],
  );
  const second = new Person(world);
  second.stream = new FakeStream("audio");
  await second.enter();
  assert.equal(first.state, "connected");
  assert.equal(second.state, "connected");
});

test("giving up while joining leaves nobody behind", async () => {
  const world = new World();
  const person = new Person(world);
  person.driver.feed({ kind: "enter" });
  person.driver.feed({ kind: "hangUp" });
  assert.equal(person.state, "left");
  await world.settle();
  assert.equal(person.state, "left");
  assert.equal(world.roomServer.rooms.size, 0);
  assert.equal(person.sockets.length, 0);
  await person.enter();
  assert.equal(person.state, "waiting: first");
});

test("a second wish to enter, or to leave, changes nothing", async () => {
  const world = new World();
  const person = new Person(world);
  person.driver.feed({ kind: "enter" });
  person.driver.feed({ kind: "enter" });
  await person.enter();
  assert.equal(world.count("JOIN"), 1);
  person.driver.feed({ kind: "hangUp" });
  await person.hangUp();
  assert.equal(world.count("LEAVE"), 1);
  await person.hangUp();
  assert.equal(world.count("LEAVE"), 1);
});

test("why a room cannot be entered is known", async () => {
  const cases = [
    [{ status: 0, body: "" }, "unreachable", ""],
    [{ status: 502, body: "bad gateway" }, "unreachable", ""],
    [{ status: 401, body: '{"reason":"the token has expired"}' }, "unauthorized", "the token has expired"],
    [{ status: 403, body: "{}" }, "unauthorized", ""],
    [{ status: 429, body: "" }, "busy", ""],
    [{ status: 404, body: "" }, "refused", ""],
    [{ status: 200, body: "<html>" }, "refused", ""],
    [{ status: 200, body: '{"result":"ERROR"}' }, "refused", "ERROR"],
    [{ status: 200, body: '{"result":"SUCCESS","params":{}}' }, "refused", ""],
  ] as const;
  for (const [answer, why, detail] of cases) {
    const world = new World();
    world.intercept = () => answer;
    const person = await new Person(world).enter();
    assert.deepEqual(person.call.state, { name: "failed", why, detail }, JSON.stringify(answer));
    world.intercept = () => undefined;
    await person.enter();
    assert.equal(person.state, "waiting: first", "and can be tried again");
  }
});

test("a loopback call is answered by the page itself", async () => {
  const world = new World();
  world.roomServer.more = { is_loopback: "true" };
  const person = new Person(world);
  // As the room server does, the other place is taken at once.
  const { join } = world.roomServer;
  world.roomServer.join = (room) => {
    const reply = join.call(world.roomServer, room);
    world.roomServer.rooms.get(room)?.push({ id: "LOOPBACK_CLIENT_ID", isInitiator: false, stored: [] });
    return reply;
  };
  await person.enter();
  assert.equal(person.state, "connected");
  const [own, echo] = person.connections;
  assert.deepEqual(
    echo?.transceivers.map(({ direction, sender, receiver }) => [direction, sender.track === receiver.track]),
    [
      ["sendrecv", true],
      ["sendrecv", true],
    ],
  );
  await person.hangUp();
  assert.ok(own?.isClosed && echo?.isClosed);
  assert.equal(world.sockets.size, 0);
});

test("what is wished while something is being done comes afterwards", () => {
  const log: string[] = [];
  const call = {
    handle: ({ kind }: Event): Output[] => {
      log.push(kind);
      if (kind !== "enter") return [];
      return [
        { kind: "stateChanged", state: { name: "joining" } },
        { kind: "reachable", isReachable: false },
      ];
    },
    nextDeadline: () => undefined,
  };
  const driver: Driver = new Driver(new Person(new World()), call as unknown as Call, {
    stream: () => undefined,
    stateChanged: () => driver.feed({ kind: "hangUp" }),
    reachable: () => void log.push("told"),
    track: () => undefined,
    peerClosed: () => undefined,
  });
  driver.feed({ kind: "enter" });
  assert.deepEqual(log, ["enter", "told", "hangUp"]);
});

test("a socket that takes long to close says nothing of the next", async () => {
  const world = new World();
  const person = await new Person(world).enter();
  await person.hangUp();
  await person.enter();
  const [old] = person.sockets;
  old?.onclose?.();
  old?.onmessage?.({ data: '{"msg":"{\\"type\\":\\"bye\\"}","error":""}' });
  await world.settle();
  assert.deepEqual(person.reachable, []);
  assert.equal(person.state, "waiting: first");
});

test("a browser that cannot make a connection is told so, again and again", async () => {
  const world = new World();
  const person = new Person(world);
  let tries = 0;
  person.peerConnection = () => {
    tries += 1;
    throw new Error("NotSupportedError");
  };
  await person.enter();
  assert.equal(person.state, "interrupted");
  await world.advance(10);
  assert.ok(tries > 2 && tries < 10, String(tries));
  await person.hangUp();
  assert.equal(person.state, "left");
});
