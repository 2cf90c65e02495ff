// What an application may pass by mistake: a TypeError that names the argument.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Client } from "../src/api.ts";
import { connectOn } from "../src/client.ts";
import { failure } from "./support/seen.ts";
import { World } from "./support/world.ts";

type Loose = Record<"subscribe" | "publish" | "publishJson", (...args: unknown[]) => Promise<unknown>> &
  Record<"publishNowait" | "on", (...args: unknown[]) => unknown>;

async function connected(): Promise<{ world: World; client: Client; loose: Loose }> {
  const world = new World(5);
  const client = await world.connect();
  return { world, client, loose: client as unknown as Loose };
}

describe("arguments", () => {
  test("of subscribe", async () => {
    const { world, loose, client } = await connected();
    const wrong: [unknown[], string][] = [
      [[], "topics: a topic or several (in an array or a Set, say), not undefined"],
      [[null], "topics: a topic or several (in an array or a Set, say), not null"],
      [[7, () => undefined], "topics: a topic or several (in an array or a Set, say), not number"],
      [[["a", undefined]], "topic: a text, not undefined"],
      [["a", 7], "callback: a function, or options, not number"],
      [["a", "b"], "callback: a function, or options, not string"],
      [["a", ["b"]], "callback: a function, or options, not a list"],
      [["a", () => undefined, true], "options: an object, not boolean"],
      [["a", () => undefined, { partail: true }], "options.partail: there is no such option"],
      [["a", { ques: 5 }], "options.ques: there is no such option"],
    ];
    for (const [args, message] of wrong) assert.equal((await failure(loose.subscribe(...args), TypeError)).message, message);
    assert.equal(world.servers.get(5)?.sets.length, 0, "nothing was subscribed");
    const subscription = await world.until(client.subscribe("a", null as never, { partial: true }));
    assert.deepEqual([...subscription.topics], ["a"]);
  });

  test("of update, in which a text is one topic", async () => {
    const { world, client } = await connected();
    const subscription = await world.until(client.subscribe("a"));
    const message = (name: string) => `${name}: a topic or several (in an array or a Set, say), not number`;
    assert.equal((await failure(subscription.update({ add: 5 as never }), TypeError)).message, message("add"));
    assert.equal((await failure(subscription.update({ remove: 5 as never }), TypeError)).message, message("remove"));
    const shape = "change: an object with topics to add or remove";
    const wrong: [unknown, string][] = [
      [undefined, `${shape}, not undefined`],
      [null, `${shape}, not null`],
      [["z"], `${shape}, not a list`],
      ["z", `${shape}, not string`],
      [{ ad: ["z"] }, "change.ad: there is no such option"],
    ];
    for (const [change, told] of wrong)
      assert.equal((await failure(subscription.update(change as never), TypeError)).message, told);
    assert.deepEqual([...subscription.topics], ["a"]);
    await world.until(subscription.update({ add: undefined as never }));
    await world.until(subscription.update({ add: "room", remove: "a" }));
    assert.deepEqual([...subscription.topics], ["room"]);
  });

  test("of publish", async () => {
    const { loose } = await connected();
    const wrong: [unknown[], string][] = [
      [[], "body: a Uint8Array, an ArrayBuffer or a text, not undefined"],
      [[undefined, "x"], "topic: a text, not undefined"],
      [[["a"], "x"], "topic: a text, not a list"],
      [["a", { x: 1 }], "body: a Uint8Array, an ArrayBuffer or a text, not object"],
      [["a", null], "body: a Uint8Array, an ArrayBuffer or a text, not null"],
      [["a", "x", true], "options: an object, not boolean"],
      [["a", "x", { relaible: false }], "options.relaible: there is no such option"],
    ];
    for (const [args, message] of wrong) {
      assert.equal((await failure(loose.publish(...args), TypeError)).message, message);
      assert.throws(() => loose.publishNowait(...args), { name: "TypeError", message });
    }
    assert.equal((await failure(loose.publishJson("a", undefined), TypeError)).message, "value: undefined has no JSON");
    assert.equal((await failure(loose.publishJson(7, {}), TypeError)).message, "topic: a text, not number");
  });

  test("of on and connect", async () => {
    const { loose } = await connected();
    assert.throws(() => loose.on("state"), { name: "TypeError", message: "listener: a function, not undefined" });
    assert.throws(() => loose.on("packet", () => undefined), { name: "TypeError", message: /^event: there is no "packet"/ });
    const world = new World(5);
    const token = await failure(world.connect({ token: Promise.resolve("t") as never }), TypeError);
    assert.equal(token.message, "token: a text or a function, not object");
    const options = await failure(world.connect("token" as never), TypeError);
    assert.equal(options.message, "options: an object, not string");
    const unknown = await failure(world.connect({ tokne: "t" } as never), TypeError);
    assert.equal(unknown.message, "options.tokne: there is no such option");
    const url = await failure(connectOn(world, 7 as never, {}), TypeError);
    assert.equal(url.message, 'url: "7" is not the URL of a coordinator, such as ws://localhost:9090');
    assert.equal((await failure(connectOn(world, [], {}), TypeError)).message, "url: a list with no URL in it");
  });
});
