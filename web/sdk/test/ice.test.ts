// STUN and TURN servers: whose are used, until when, and what is said where they do not do.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ConnectError } from "../src/core/errors.ts";
import { IceChoice } from "../src/core/iceChoice.ts";
import type { ClientOptions } from "../src/core/options.ts";
import { decodeSignal } from "../src/core/signals.ts";
import { type IceServer, IceServersMessage, MessageType } from "../src/gen/broker.ts";
import { failure } from "./support/seen.ts";
import { World } from "./support/world.ts";

const LIFETIME = 3_600;
const stun: IceServer = { urls: ["stun:a"], username: "", credential: "" };
const turn = (username: string): IceServer => ({ urls: ["turn:b", "turns:b"], username, credential: "hush" });
/** The same as a browser takes them. */
const used = (username: string) => [{ urls: ["stun:a"] }, { urls: ["turn:b", "turns:b"], username, credential: "hush" }];

function given(...aliases: number[]): World {
  const world = new World(...aliases);
  world.iceServers = [stun, turn("first")];
  world.iceLifetime = LIFETIME;
  return world;
}

describe("ICE servers", () => {
  test("those of WELCOME are used", async () => {
    const world = given(5);
    await world.connect();
    assert.deepEqual(world.connection.config, { iceServers: used("first"), iceTransportPolicy: "all" });
  });

  test("an application's own are used instead, even where they are none", async () => {
    for (const iceServers of [[{ urls: "stun:own" }], []]) {
      const world = given(5);
      await world.connect({ options: { iceServers } });
      assert.deepEqual(world.connection.config.iceServers, iceServers);
    }
    const world = given(5);
    await world.connect({ options: { iceServers: null } });
    assert.deepEqual(world.connection.config.iceServers, used("first"));
  });

  test("new credentials are used for links made from then on", async () => {
    const world = given(5, 6);
    const client = await world.connect();
    for (let time = 0; time < 5; time += 1) {
      await world.advance(LIFETIME * 0.7);
      world.socket.renewIce([stun, turn(`${time}`)], LIFETIME);
      await world.settle();
    }
    assert.equal(world.connections.length, 1, "the link that is there is not affected");
    world.connection.become("failed");
    await world.settle();
    assert.equal(client.server, 6);
    assert.deepEqual(world.connection.config.iceServers, used("4"));
  });

  test("credentials that have ended are not tried", async () => {
    const world = given(5, 6);
    await world.connect();
    await world.advance(LIFETIME);
    world.connection.become("failed");
    await world.settle();
    assert.deepEqual(world.connection.config.iceServers, [{ urls: ["stun:a"] }]);
  });

  test("no credential is ever used after its end", () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.nat(20_000), (lifetime, later) => {
        const choice = new IceChoice(null);
        const servers = [{ urls: ["stun:a"] }, { urls: ["turn:b"], username: "u", credential: "hush" }];
        choice.granted({ servers, lifetime: lifetime || Number.POSITIVE_INFINITY }, 1_000);
        const count = choice.servers(1_000 + later).length;
        assert.ok(count === 1 || lifetime === 0 || later < lifetime);
        assert.ok(count === 2 || later >= lifetime * 0.9);
      }),
    );
  });

  test("URLs that a browser would not take are passed over", () => {
    const iceServers = [
      { urls: ["quic:a", "turn:a", "turn:b?transport=quic", "stun:"], username: "u", credential: "c" },
      { urls: ["nonsense"], username: "", credential: "" },
      { urls: ["stuns:c:5349", "turns:d?transport=tcp"], username: "", credential: "" },
    ];
    const frame = IceServersMessage.encode({ type: MessageType.ICE_SERVERS, iceServers, iceLifetime: 0 }).finish();
    assert.deepEqual(decodeSignal(frame), {
      kind: "iceServers",
      ice: {
        servers: [{ urls: ["turn:a"], username: "u", credential: "c" }, { urls: ["stuns:c:5349", "turns:d?transport=tcp"] }],
        lifetime: Number.POSITIVE_INFINITY,
      },
    });
  });
});

describe("relays alone", () => {
  const options: Partial<ClientOptions> = { iceTransportPolicy: "relay", connectTimeout: 3, maxAttempts: 1 };

  test("the browser is told", async () => {
    const world = given(5);
    await world.connect({ options });
    assert.equal(world.connection.config.iceTransportPolicy, "relay");
  });

  function without(candidates: (string | null)[]): World {
    const world = given(5);
    const make = world.peerConnection.bind(world);
    world.peerConnection = (config) => {
      const connection = make(config);
      Object.assign(connection, { found: candidates });
      return connection;
    };
    const five = world.servers.get(5);
    assert.ok(five);
    five.answered = () => undefined;
    return world;
  }

  test("a TURN server that refuses is named at once", async () => {
    const world = without([]);
    const connecting = world.connect({ options });
    const failed = failure(connecting, ConnectError);
    while (world.connections.length === 0) await new Promise((resolve) => setImmediate(resolve));
    world.connection.onicecandidateerror?.({ url: "turn:b", errorCode: 401, errorText: "Unauthorized" });
    world.connection.onicecandidate?.({ candidate: null });
    const error = await failed;
    assert.match(error.reason, /no TURN server relays for us \(turn:b: 401 Unauthorized\)/);
  });

  test("without a TURN server that is told, too", async () => {
    const error = await failure(without([null]).connect({ options }), ConnectError);
    assert.match(error.reason, /no TURN server relays for us$/);
  });

  test("where any way will do, having no candidate of one's own is no end", async () => {
    const world = without([null]);
    const { iceTransportPolicy: _, ...others } = options;
    const error = await failure(world.connect({ options: { ...others, joinTimeout: 2 } }), ConnectError);
    assert.match(error.reason, /no open channel to server 5 in time/);
  });

  test("a way that fails is told with what the servers did not do", async () => {
    const world = given(5);
    const five = world.servers.get(5);
    assert.ok(five);
    five.answered = () => {
      world.connection.onicecandidateerror?.({ url: "turn:b", errorCode: 701, errorText: "timed out" });
      world.connection.become("failed");
    };
    const error = await failure(world.connect({ options }), ConnectError);
    assert.match(error.reason, /no connection to the server \(turn:b: 701 timed out\)/);
  });

  test("a policy is one of two", async () => {
    const wrong = { iceTransportPolicy: "turn" } as unknown as Partial<ClientOptions>;
    await assert.rejects(given(5).connect({ options: wrong }), /options.iceTransportPolicy: turn is neither/);
  });
});
