// From connect() to connected, and all the ways that may fail.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connectOn } from "../src/client.ts";
import { AuthError, ConnectError } from "../src/core/errors.ts";
import { ConnectionRefusedReason, MessageType } from "../src/gen/broker.ts";
import { Code } from "../src/gen/constants.ts";
import { failure } from "./support/seen.ts";
import { bytes, jwt, World } from "./support/world.ts";

describe("joining", () => {
  test("a client joins the first server of the list and has its alias", async () => {
    const world = new World(5, 6);
    const client = await world.connect({ token: "t" });
    assert.equal(client.state, "connected");
    assert.equal(client.alias, 77);
    assert.equal(client.server, 5);
    assert.deepEqual(world.servers.get(5)?.tokens, ["t"]);
    assert.equal(world.socket.query.get("access_token"), "t");
    assert.equal(world.socket.query.get("v"), "2");
    assert.equal(world.socket.query.get("alias"), null);
    assert.deepEqual([client.stats.joins, client.stats.reconnects], [1, 0]);
    await client.close();
    assert.equal(client.state, "closed");
    assert.equal(client.server, 0);
    assert.ok(world.connection.isClosed);
    assert.equal(world.socket.closedWith, 1000);
    assert.equal(world.timers, 0);
    assert.equal(world.watcher, undefined);
  });

  test("the alias of READY is the one that counts", async () => {
    const world = new World();
    world.server(5).readyAlias = 1_234;
    const client = await world.connect();
    assert.equal(client.alias, 1_234);
  });

  test("candidates trickle both ways, whatever comes first", async () => {
    const world = new World(5);
    const init = { candidate: "candidate:9", sdpMid: "", usernameFragment: null };
    world.onDial = (socket) => {
      socket.welcome();
      socket.webRtc(MessageType.WEBRTC_ICE_CANDIDATE, 5, init);
    };
    const client = await world.connect({ options: { iceServers: [{ urls: "stun:stun.example" }] } });
    await world.settle();
    assert.deepEqual(world.connection.config, { iceServers: [{ urls: "stun:stun.example" }], iceTransportPolicy: "all" });
    assert.deepEqual(
      world.socket.candidates.map(({ candidate }) => candidate),
      ["candidate:1", ""],
    );
    for (const candidate of ["candidate:10", "bad", ""])
      world.socket.webRtc(MessageType.WEBRTC_ICE_CANDIDATE, 5, { candidate, sdpMid: "0", sdpMLineIndex: 0 });
    world.socket.webRtc(MessageType.WEBRTC_ICE_CANDIDATE, 6, init);
    world.socket.webRtc(MessageType.WEBRTC_ICE_CANDIDATE, 5, "nonsense");
    await world.settle();
    assert.deepEqual(world.connection.candidates, [
      { candidate: "candidate:9", sdpMid: null, sdpMLineIndex: 0, usernameFragment: null },
      { candidate: "candidate:10", sdpMid: "0", sdpMLineIndex: 0, usernameFragment: null },
    ]);
    assert.equal(client.stats.dropped.undecodable, 1);
  });

  test("a server that refuses or does not answer is passed over", async () => {
    const world = new World(5, 6, 7, 8);
    const [full, mute, bad] = [5, 6, 7].map((alias) => world.servers.get(alias));
    assert.ok(full && mute && bad);
    full.refusal = Code.SERVER_FULL;
    mute.offersNothing = true;
    bad.asked = (socket) => socket.webRtc(MessageType.WEBRTC_OFFER, 7, { type: "offer", sdp: "bad" });
    const client = await world.connect();
    assert.equal(client.server, 8);
  });

  test("an offer that is none, a server that leaves while joining", async () => {
    const world = new World(5, 6, 7);
    const [strange, leaving] = [5, 6].map((alias) => world.servers.get(alias));
    assert.ok(strange && leaving);
    strange.asked = (socket) => socket.webRtc(MessageType.WEBRTC_OFFER, 5, { type: "answer", sdp: "x" });
    leaving.asked = (socket) => socket.gone(6);
    const client = await world.connect();
    assert.equal(client.server, 7);
  });

  test("a link that breaks while it opens is passed over", async () => {
    const world = new World(5, 6);
    const five = world.servers.get(5);
    assert.ok(five);
    five.answered = () => world.connection.become("failed");
    assert.equal((await world.connect()).server, 6);
  });

  test("servers that UDP does not reach, or that say nothing, have three seconds each while there is another", async () => {
    const world = new World(5, 6, 7);
    const [deaf, mute] = [5, 6].map((alias) => world.servers.get(alias));
    assert.ok(deaf && mute);
    deaf.answered = () => undefined;
    mute.offersNothing = true;
    const began = world.time;
    assert.equal((await world.connect()).server, 7);
    const took = world.time - began;
    assert.ok(took >= 6 && took < 6.2, `${took} s`);
  });

  test("the last of a fresh list has the whole join time-out, and then the coordinator is asked again", async () => {
    const world = new World(5);
    const five = world.servers.get(5);
    assert.ok(five);
    five.answered = () => undefined;
    const connecting = failure(world.connect({ options: { connectTimeout: 18, joinTimeout: 16 } }), ConnectError);
    await world.advance(15.9);
    assert.equal(world.sockets.length, 1);
    await world.advance(0.4);
    assert.equal(world.sockets.length, 2);
    await connecting;
  });

  test("a server that is reached and slow is not left for another", async () => {
    const world = new World(5, 6);
    const five = world.servers.get(5);
    assert.ok(five);
    five.answered = () => world.connection.reach();
    const connecting = world.connect();
    await world.advance(8);
    world.connection.open(five);
    assert.equal((await connecting).server, 5);
    const stuck = new World(5);
    const one = stuck.servers.get(5);
    assert.ok(one);
    one.answered = () => stuck.connection.reach();
    const error = await failure(stuck.connect(), ConnectError);
    assert.equal(error.reason, "no open channel to server 5 in time");
  });

  test("a server gone while its channels open has only the probe time-out left, reached or not", async () => {
    const world = new World(5, 6);
    const five = world.servers.get(5);
    assert.ok(five);
    five.answered = () => {
      world.socket.gone(5);
      world.post(() => world.post(() => world.connection.reach()));
    };
    const began = world.time;
    assert.equal((await world.connect()).server, 6);
    assert.ok(world.time - began < 2);
  });

  test("a link whose channels are open is not hurried any more", async () => {
    const world = new World(5, 6);
    const five = world.servers.get(5);
    assert.ok(five);
    five.isSilent = true;
    const connecting = world.connect({ options: { connectTimeout: 8 } });
    await world.advance(6);
    five.isSilent = false;
    five.take(world.connection.channel("reliable").sent[0] ?? bytes(""), world.connection.channel("reliable"));
    assert.equal((await connecting).server, 5);
  });

  test("where UDP is blocked the error says so, and not that there are no servers", async () => {
    for (const servers of [[5], [5, 6]]) {
      const world = new World(...servers);
      for (const server of world.servers.values()) server.answered = () => undefined;
      const error = await failure(world.connect(), ConnectError);
      assert.equal(error.code, Code.TIMEOUT);
      assert.equal(error.reason, `no open channel to server ${servers.at(-1)} in time: is UDP blocked?`);
      assert.equal(error.retry, "retry");
    }
  });

  test("a try that has only just begun explains nothing", async () => {
    const world = new World(5, 6);
    const [full, mute] = [5, 6].map((alias) => world.servers.get(alias));
    assert.ok(full && mute);
    full.refusal = Code.SERVER_FULL;
    mute.offersNothing = true;
    const early = await failure(world.connect({ options: { connectTimeout: 0.9 } }), ConnectError);
    assert.equal(early.code, Code.SERVER_FULL);
    const late = await failure(world.connect({ options: { connectTimeout: 2 } }), ConnectError);
    assert.equal(late.reason, "no offer of server 6 in time");
  });

  test("between two rounds the error is that of the last server", async () => {
    const world = new World(5);
    world.random = () => 0.999;
    const five = world.servers.get(5);
    assert.ok(five);
    five.answered = () => undefined;
    const options = { connectTimeout: 4, joinTimeout: 2, backoffBase: 5 };
    const error = await failure(world.connect({ options }), ConnectError);
    assert.equal(error.reason, "no open channel to server 5 in time: is UDP blocked?");
  });

  test("a server gone while its channels open has only the probe time-out left", async () => {
    const world = new World(5, 6);
    const five = world.servers.get(5);
    assert.ok(five);
    five.answered = () => world.socket.gone(5);
    const began = world.time;
    assert.equal((await world.connect()).server, 6);
    assert.ok(world.time - began < 2);
  });

  test("nobody answers: ConnectError says why, when its time is up", async () => {
    const world = new World(5);
    world.onDial = (socket) => socket.end(1006);
    const error = await failure(world.connect({ options: { connectTimeout: 3 } }), ConnectError);
    assert.equal(error.code, Code.LINK_LOST);
    assert.equal(error.retry, "retry");
    assert.ok(world.sockets.length > 2);
    assert.equal(world.timers, 0);
  });

  test("a dial without WELCOME is given up, and made again", async () => {
    const world = new World(5);
    let dials = 0;
    world.onDial = (socket) => (++dials < 2 ? socket.open() : socket.welcome());
    const client = await world.connect({ options: { dialTimeout: 2 } });
    assert.equal(client.state, "connected");
    assert.equal(world.sockets[0]?.closedWith, 1000);
  });

  test("a coordinator that does not answer is told from one that says nothing", async () => {
    const world = new World(5);
    world.onDial = () => undefined; // as Chromium does with what a page's policy forbids
    const options = { dialTimeout: 2, connectTimeout: 3, backoffBase: 5 };
    world.random = () => 0.999;
    const blocked = await failure(world.connect({ options }), ConnectError);
    assert.match(blocked.reason, /^the coordinator did not answer in time: .*Content-Security-Policy \(connect-src\)/);
    assert.equal(blocked.code, Code.TIMEOUT);
    world.onDial = (socket) => socket.open();
    const mute = await failure(world.connect({ options }), ConnectError);
    assert.match(mute.reason, /^no WELCOME from the coordinator in time: /);
  });

  test("a browser that will not even dial", async () => {
    const world = new World(5);
    world.webSocket = () => {
      throw new Error("SecurityError");
    };
    const error = await failure(world.connect({ options: { maxAttempts: 2 } }), ConnectError);
    assert.match(error.reason, /SecurityError/);
  });

  test("a browser without WebRTC", async () => {
    const world = new World(5);
    world.peerConnection = () => {
      throw new Error("NotSupportedError");
    };
    const error = await failure(world.connect({ options: { maxAttempts: 1 } }), ConnectError);
    assert.match(error.message, /NotSupportedError|no server/);
  });

  test("no servers: attempts are counted, pauses grow, then it gives up", async () => {
    const world = new World();
    world.random = () => 0.999;
    const dialed: number[] = [];
    world.onDial = (socket) => {
      dialed.push(world.time);
      socket.welcome([]);
    };
    const error = await failure(world.connect({ options: { maxAttempts: 4, connectTimeout: 50 } }), ConnectError);
    assert.equal(error.code, Code.NO_SERVERS);
    const pauses = dialed.slice(1).map((time, index) => time - (dialed[index] ?? 0));
    assert.deepEqual(
      pauses.map((pause) => Math.round(pause * 4)),
      [1, 2, 4],
    );
  });

  test("the coordinator's word is final: never again", async () => {
    const world = new World(5);
    world.onDial = (socket) => {
      socket.open();
      socket.end(Code.BAD_MESSAGE, "what is that?");
    };
    const error = await failure(world.connect(), ConnectError);
    assert.ok(!(error instanceof AuthError));
    assert.equal(error.retry, "do not retry");
    assert.equal(world.sockets.length, 1);
  });

  test("a fixed token that is refused ends it, by the coordinator or by the server", async () => {
    const world = new World(5);
    world.onDial = (socket) => socket.end(Code.AUTH_FAILED, "the token was refused");
    const error = await failure(world.connect({ token: "bad" }), AuthError);
    assert.equal(error.code, Code.AUTH_FAILED);
    const other = new World(5);
    const five = other.servers.get(5);
    assert.ok(five);
    five.judge = () => Code.TOKEN_EXPIRED;
    assert.equal((await failure(other.connect({ token: "old" }), AuthError)).code, Code.TOKEN_EXPIRED);
  });

  test("an old server's refusal has only a reason", async () => {
    const world = new World(5, 6);
    const five = world.servers.get(5);
    assert.ok(five);
    five.asked = (socket) => socket.refuse(5, 0, ConnectionRefusedReason.SERVER_FULL);
    assert.equal((await world.connect()).server, 6);
    const strict = new World(5);
    const one = strict.servers.get(5);
    assert.ok(one);
    one.asked = (socket) => socket.refuse(5, 0, ConnectionRefusedReason.AUTH_FAILED);
    assert.equal((await failure(strict.connect(), AuthError)).code, Code.AUTH_FAILED);
  });

  test("a URL or an option that cannot work", async () => {
    const world = new World(5);
    await failure(world.connect({}, "ftp://x"), TypeError);
    await failure(world.connect({}, "nonsense"), TypeError);
    await failure(connectOn(world, "", {}), TypeError);
    await failure(world.connect({ options: { pingInterval: 0 } }), RangeError);
    await failure(world.connect({ options: { pingInterval: 20 } }), RangeError);
    await failure(world.connect({ options: { pings: 3 } as object }), TypeError);
    assert.equal(world.sockets.length, 0);
  });

  test("the page's own origin", async () => {
    const world = new World(5);
    await world.until(connectOn(world, "", {}, "https://example.org:8443/some/page?x=1#token=t"));
    assert.equal(world.socket.url, "wss://example.org:8443/connect?v=2");
  });
});

describe("tokens", () => {
  test("a function is asked when connecting, before the token expires, and on reconnect", async () => {
    const world = new World(5);
    let asked = 0;
    const token = async () => ` ${jwt(world.time + 100 + asked++)}\n`;
    const client = await world.connect({ token });
    const server = world.servers.get(5);
    assert.ok(server);
    assert.equal(asked, 1);
    await world.advance(79);
    assert.equal(asked, 1);
    await world.advance(2);
    assert.equal(asked, 2);
    assert.equal(server.tokens.length, 2, "a fresh AUTH on the living link");
    assert.notEqual(server.tokens[0], server.tokens[1]);
    assert.equal(server.joined, 2);
    assert.deepEqual([client.state, client.stats.joins], ["connected", 1]);
    await world.advance(79);
    world.connection.become("failed");
    await world.advance(2);
    assert.equal(client.state, "connected");
    assert.equal(asked, 3, "which it was about to need anyway");
  });

  test("a token is renewed in time whatever the page's clock says, and not without end", async () => {
    for (const skew of [3_600, -3_600, 290, -290]) {
      const world = new World(5);
      let asked = 0;
      const token = () => {
        const now = world.time - skew; // by the clock of whoever issues it
        asked += 1;
        return jwt(now + 300, { iat: now });
      };
      const client = await world.connect({ token });
      await world.advance(239);
      const most = skew === 290 ? 40 : 1; // ten seconds left, it seems: asked sooner than need be
      assert.ok(asked <= most, `clock ${skew} s ahead: asked ${asked} times`);
      await world.advance(2);
      assert.ok(asked >= 2, `clock ${skew} s ahead: not renewed`);
      assert.equal(client.state, "connected");
    }
  });

  test("a refused token has a second chance with a fresh one, once", async () => {
    const world = new World(5);
    const tokens = ["bad", "good"];
    world.onDial = (socket) =>
      socket.query.get("access_token") === "bad" ? socket.end(Code.AUTH_FAILED, "refused") : socket.welcome();
    await world.connect({ token: () => tokens.shift() ?? "none" });
    assert.deepEqual(tokens, []);
    const hopeless = new World(5);
    hopeless.onDial = (socket) => socket.end(Code.AUTH_FAILED, "refused");
    let asked = 0;
    const token = () => `bad ${++asked}`;
    await failure(hopeless.connect({ token }), AuthError);
    assert.equal(asked, 2);
  });

  test("a function that fails is asked again", async () => {
    const world = new World(5);
    const answers: (() => unknown)[] = [
      () => Promise.reject(new Error("no network")),
      () => {
        throw "text";
      },
      () => new Promise(() => undefined),
      () => "t",
    ];
    const token = () => answers.shift()?.() as string;
    const client = await world.connect({ token, options: { tokenTimeout: 1 } });
    assert.equal(client.state, "connected");
    assert.equal(answers.length, 0);
  });

  test("a renewal that fails is tried again in time", async () => {
    const world = new World(5);
    let asked = 0;
    const token = () => {
      asked += 1;
      if (asked === 2) throw new Error("not now");
      return jwt(world.time + 100);
    };
    const client = await world.connect({ token });
    await world.advance(81);
    assert.equal(asked, 2);
    await world.advance(6);
    assert.equal(asked, 3);
    assert.equal(client.state, "connected");
  });

  test("the coordinator refuses the token of a client that is joined: the next dial brings a fresh one", async () => {
    const world = new World(5);
    let asked = 0;
    const client = await world.connect({ token: () => `t${++asked}` });
    world.socket.end(Code.TOKEN_EXPIRED, "expired");
    await world.advance(1);
    assert.equal(client.state, "connected");
    assert.equal(asked, 2);
    assert.equal(world.socket.query.get("access_token"), "t2");
    assert.equal(world.socket.query.get("alias"), "77");
    assert.equal(world.socket.query.get("resume"), "proof");
  });
});
