import assert from "node:assert/strict";
import { test } from "node:test";
import { AWAY_OPACITY, Presence } from "../src/view/presence.ts";

function play(presence: Presence, server: number, from: number, seconds: number): void {
  for (let frame = 1; frame <= seconds * 60; frame++) presence.frame(server, from + frame / 60, 1 / 60);
}

test("others come in, and fade while there is no connection", () => {
  const presence = new Presence();
  presence.frame(0, 0, 1 / 60);
  assert.equal(presence.opacity, 0);
  play(presence, 7, 0, 4);
  assert.ok(presence.opacity > 0.95);
  assert.equal(presence.wave(4), undefined, "the first server is no move");
  play(presence, 0, 4, 0.2);
  assert.equal(presence.opacity, AWAY_OPACITY);
  assert.equal(presence.server, 7);
  play(presence, 7, 4.2, 3);
  assert.ok(presence.opacity > 0.95);
  assert.equal(presence.wave(7), undefined, "back on the same one is no move");
});

test("a move is seen, however quick it is", () => {
  const presence = new Presence();
  play(presence, 7, 0, 4);
  presence.frame(8, 4, 1 / 60);
  assert.equal(presence.opacity, AWAY_OPACITY);
  assert.equal(presence.wave(4), 0);
  play(presence, 8, 4, 3);
  assert.ok(presence.opacity > 0.95);
  assert.equal(presence.wave(7), undefined);
});
