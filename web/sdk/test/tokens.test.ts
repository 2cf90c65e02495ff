// The token function when it fails, and tokens that are revoked.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Client } from "../src/api.ts";
import { AuthError, ConnectError, TokenUnavailable } from "../src/core/errors.ts";
import { Code } from "../src/gen/constants.ts";
import { failure, Seen } from "./support/seen.ts";
import { World } from "./support/world.ts";

const UNAVAILABLE = [Code.TOKEN_UNAVAILABLE, "retry"];

describe("a token function that fails", () => {
  test("is asked again, more slowly each time, until connect() ends with what it said", async () => {
    const ways = [() => Promise.reject(new TypeError("Failed to fetch")), () => Promise.reject("Failed to fetch")];
    for (const token of [
      ...ways,
      () => {
        throw new Error("Failed to fetch");
      },
    ]) {
      const world = new World(5);
      world.random = () => 0.999;
      const asked: number[] = [];
      const counted = () => {
        asked.push(world.time);
        return token();
      };
      const error = await failure(world.connect({ token: counted }), ConnectError);
      assert.deepEqual([error.code, error.retry], UNAVAILABLE);
      assert.equal(error.reason, "the token function failed: Failed to fetch");
      const pauses = asked.slice(1).map((time, index) => Math.round((time - (asked[index] ?? 0)) * 4));
      assert.deepEqual(pauses, [1, 2, 4, 8, 16]);
      assert.equal(world.sockets.length, 0);
      assert.equal(world.timers, 0);
    }
  });

  test("one that hangs is what connect() waited for, or took too long", async () => {
    const world = new World(5);
    const token = () => new Promise<string>(() => undefined);
    const early = await failure(world.connect({ token, options: { connectTimeout: 5 } }), ConnectError);
    assert.deepEqual([early.code, early.retry], UNAVAILABLE);
    assert.equal(early.reason, "the token function failed: it has not answered yet");
    const late = await failure(world.connect({ token, options: { tokenTimeout: 2, connectTimeout: 2.5 } }), ConnectError);
    assert.deepEqual([late.code, late.retry], UNAVAILABLE);
    assert.equal(late.reason, "the token function failed: it took longer than 2 s");
    const both = await failure(world.connect({ token }), ConnectError);
    assert.deepEqual([both.code, both.retry], UNAVAILABLE);
  });

  test("after a loss it is asked for ever, with an error event each time", async () => {
    const world = new World(5);
    let isAway = false;
    const token = () => {
      if (isAway) throw new Error("Failed to fetch");
      return "t";
    };
    const client = await world.connect({ token });
    const seen = new Seen(client);
    await world.advance(11);
    isAway = true;
    world.servers.get(5)?.close(Code.TOKEN_EXPIRED);
    await world.advance(600);
    assert.deepEqual(seen.states, [["reconnecting", Code.TOKEN_EXPIRED]]);
    assert.ok(seen.errors.length > 60, `${seen.errors.length} errors`);
    for (const error of seen.errors) {
      assert.ok(error instanceof TokenUnavailable);
      assert.deepEqual([error.code, error.retry], UNAVAILABLE);
    }
    isAway = false;
    await world.advance(10);
    assert.equal(client.state, "connected");
  });

  test("one that gives no token is a mistake, which connect() says at once", async () => {
    for (const [given, said] of [
      [undefined, "undefined"],
      [null, "null"],
      [42, "number"],
      [["t"], "a list"],
      ["", "an empty text"],
      [" \n", "an empty text"],
    ]) {
      const world = new World(5);
      const connecting = world.connect({ token: async () => given as unknown as string });
      const error = await failure(connecting, TypeError);
      assert.equal(error.message, `the token function is wrong: it gave ${said}, where a token belongs`);
      assert.deepEqual([world.sockets.length, world.timers, world.watcher], [0, 0, undefined]);
    }
  });

  test("one that gives no token later is asked again", async () => {
    const world = new World(5);
    const given: unknown[] = ["first", undefined, "second"];
    const client = await world.connect({ token: () => given.shift() as string });
    const seen = new Seen(client);
    world.servers.get(5)?.close(Code.TOKEN_EXPIRED);
    await world.advance(1);
    assert.equal(client.state, "connected");
    assert.deepEqual(
      seen.errors.map(({ reason }) => reason),
      ["the token function failed: it gave undefined, where a token belongs"],
    );
  });
});

/** A cluster that refuses some tokens, and a client that is joined with the first of those given. */
async function joined(...tokens: string[]) {
  const world = new World(5);
  const revoked = new Set<string>();
  const shown: string[] = [];
  world.onDial = (socket) => {
    const token = socket.query.get("access_token") ?? "";
    shown.push(token);
    if (revoked.has(token)) socket.end(Code.TOKEN_REVOKED);
    else socket.welcome();
  };
  const five = world.server(5);
  five.judge = (token) => (revoked.has(token) ? Code.TOKEN_REVOKED : 0);
  const [fixed = ""] = tokens;
  const token = tokens.length > 1 ? () => tokens.shift() ?? "none" : fixed;
  const client: Client = await world.connect({ token });
  const seen = new Seen(client);
  await world.advance(11);
  return { world, five, revoked, shown, client, seen };
}

describe("a token that is revoked", () => {
  const server = ({ five }: Awaited<ReturnType<typeof joined>>) => five.close(Code.TOKEN_REVOKED);
  const coordinator = ({ world }: Awaited<ReturnType<typeof joined>>) => world.socket.end(Code.TOKEN_REVOKED);
  const orders = {
    server: [server],
    coordinator: [coordinator],
    both: [server, coordinator],
    "the other way": [coordinator, server],
  };

  for (const [name, tellers] of Object.entries(orders)) {
    test(`is not shown again, and the client goes on with another: told by ${name}`, async () => {
      const made = await joined("first", "second", "third");
      made.revoked.add("first");
      for (const tell of tellers) tell(made);
      await made.world.advance(2);
      assert.equal(made.client.state, "connected");
      assert.equal(made.shown.filter((token) => token === "first").length, 1, "that was before");
      assert.equal(made.five.tokens.filter((token) => token === "first").length, 1);
      assert.ok(made.five.tokens.includes("second"));
      assert.ok(made.seen.states.every(([state]) => state !== "closed"));
    });

    test(`and is all there is: the end, told by ${name}`, async () => {
      const made = await joined("fixed");
      const causes: unknown[] = [];
      made.client.on("state", (_, cause) => causes.push(cause));
      made.revoked.add("fixed");
      for (const tell of tellers) tell(made);
      await made.world.advance(60);
      assert.equal(made.client.state, "closed");
      const [cause] = causes;
      assert.ok(cause instanceof AuthError);
      assert.deepEqual([cause.code, cause.reason], [Code.TOKEN_REVOKED, "the token was revoked"]);
      assert.deepEqual(made.shown, ["fixed"]);
      assert.deepEqual(made.five.tokens, ["fixed"]);
    });
  }

  test("is not shown to the server that is being joined", async () => {
    const world = new World(5);
    const tokens = ["first", "second"];
    const five = world.servers.get(5);
    assert.ok(five);
    const open = five.answered.bind(five);
    five.answered = (answer) => {
      five.answered = open;
      world.socket.end(Code.TOKEN_REVOKED);
      world.post(() => world.post(() => five.answered(answer)));
    };
    const client = await world.connect({ token: () => tokens.shift() ?? "none" });
    assert.equal(client.state, "connected");
    assert.deepEqual(five.tokens, ["second"]);
  });

  test("and so is the one after it: the end", async () => {
    const made = await joined("first", "second", "third");
    made.revoked.add("first").add("second");
    server(made);
    await made.world.advance(60);
    assert.equal(made.client.state, "closed");
    assert.deepEqual(made.shown, ["first", "second"]);
  });
});
