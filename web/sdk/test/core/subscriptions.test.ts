// The subscription set against a model: whatever happens, the server ends up with what is held.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { SubscriptionSet } from "../../src/core/subscriptions.ts";

const topic = fc.constantFrom("a", "b", "c", "d");
const command = fc.oneof(
  fc.record({ kind: fc.constant("hold" as const), topics: fc.uniqueArray(topic, { maxLength: 3 }) }),
  fc.record({ kind: fc.constant("release" as const), topics: fc.uniqueArray(topic, { maxLength: 3 }) }),
  fc.record({ kind: fc.constantFrom("send" as const, "acknowledge" as const, "lose" as const), topics: fc.constant([]) }),
);

describe("subscription set", () => {
  test("holders are counted, versions followed", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), fc.uniqueArray(topic), (commands, refusing) => {
        const set = new SubscriptionSet();
        const holders = new Map<string, number>();
        const held = () =>
          [...holders]
            .filter(([, count]) => count > 0)
            .map(([name]) => name)
            .sort();
        const refusal = new Map<string, number>(refusing.map((name) => [name, 4300]));
        let onServer: string[] = [];
        let waiting: [number, string[]] | undefined;
        for (const { kind, topics } of commands) {
          if (kind === "hold") {
            set.hold(topics);
            for (const name of topics) holders.set(name, (holders.get(name) ?? 0) + 1);
          } else if (kind === "release") {
            const mine = topics.filter((name) => (holders.get(name) ?? 0) > 0);
            set.release(mine);
            for (const name of mine) holders.set(name, (holders.get(name) ?? 0) - 1);
          } else if (kind === "send" && set.changed) {
            const awaited = set.awaitedVersion;
            waiting = set.nextVersion();
            assert.equal(waiting[0], awaited);
            assert.deepEqual([...waiting[1]].sort(), held());
          } else if (kind === "acknowledge" && waiting) {
            onServer = waiting[1].filter((name) => !refusal.has(name));
            set.acknowledge(waiting[0], new Map([...refusal].filter(([name]) => waiting?.[1].includes(name))));
            assert.equal(set.settledVersion, waiting[0]);
          } else if (kind === "lose") {
            set.connectionLost();
            waiting = undefined;
            onServer = [];
          }
          assert.equal(set.outstanding || held().length === 0, true);
          for (const name of ["a", "b", "c", "d"]) if (set.isAcknowledged(name)) assert.ok(onServer.includes(name));
        }
        const [version, topics] = set.nextVersion();
        assert.deepEqual(topics.sort(), held());
        set.acknowledge(version, new Map());
        assert.ok(topics.every((name) => set.isAcknowledged(name)));
        assert.equal(set.refused(topics).size, 0);
      }),
    );
  });

  test("only what is held can be let go of", () => {
    const set = new SubscriptionSet();
    assert.throws(() => set.release(["a"]));
    set.hold(["a"]);
    set.release(["a"]);
    assert.throws(() => set.release(["a"]));
    set.hold(["a"]);
    assert.deepEqual(set.nextVersion(), [1, ["a"]]);
  });
});
