// Every state has words, and a way on.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Trouble, TroubleKind } from "../../src/core/media.ts";
import { type Choice, LABELS, type Media, type Model, sceneOf } from "../../src/core/scene.ts";
import type { Failure, State } from "../../src/core/states.ts";

const READY: Media = { name: "ready", hasAudio: true, hasVideo: true };

function model(state: State, media: Media = READY, more: Partial<Model> = {}): Model {
  return { room: "green-room", state, media, wanted: { audio: true, video: true }, error: "", ...more };
}

const FAILURES: Failure[] = ["unreachable", "unauthorized", "busy", "refused"];

test("each state of the call", () => {
  const cases: [State, boolean, Choice[] | undefined, RegExp][] = [
    [{ name: "joining" }, false, ["cancel"], /Joining/],
    [{ name: "waiting", why: "first" }, true, ["copyLink"], /Nobody else/],
    [{ name: "waiting", why: "left" }, true, ["copyLink"], /has left/],
    [{ name: "waiting", why: "lost" }, true, ["copyLink"], /lost/],
    [{ name: "connecting" }, true, [], /Connecting/],
    [{ name: "connected" }, true, undefined, /in a call/],
    [{ name: "interrupted" }, true, [], /interrupted/],
    [{ name: "full" }, false, ["tryAgain", "home"], /^Sorry, this room is full\.$/],
    [{ name: "leaving" }, false, [], /Leaving/],
    [{ name: "left" }, false, ["joinAgain", "home"], /You have left/],
    ...FAILURES.map((why): [State, boolean, Choice[], RegExp] => [
      { name: "failed", why, detail: "" },
      false,
      ["tryAgain", "home"],
      /\.$/,
    ]),
  ];
  const statuses = new Set<string>();
  for (const [state, isInside, choices, words] of cases) {
    const scene = sceneOf(model(state));
    assert.equal(scene.isInside, isInside, state.name);
    assert.deepEqual(scene.card?.choices, choices, state.name);
    assert.match(scene.status, words);
    statuses.add(scene.status);
  }
  assert.equal(statuses.size, cases.length, "no two states are told alike");
  assert.match(sceneOf(model({ name: "failed", why: "unauthorized", detail: "expired" })).card?.text ?? "", /\(expired\)$/);
});

test("before joining", () => {
  const outside = { name: "outside" } as const;
  assert.match(sceneOf(model(outside, { name: "asking" })).status, /camera and microphone/);
  assert.match(sceneOf(model(outside, { name: "asking" }, { wanted: { audio: true, video: false } })).status, /your microphone/);
  assert.deepEqual(sceneOf(model(outside)).card?.choices, ["join"]);
  const texts = [
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ].map(
    ([hasAudio = false, hasVideo = false]) => sceneOf(model(outside, { name: "ready", hasAudio, hasVideo })).card?.text ?? "",
  );
  assert.equal(new Set(texts).size, 4);
  for (const text of texts) assert.match(text, /green-room/);
  const broken = sceneOf(model(outside, READY, { error: "No such thing." }));
  assert.deepEqual([broken.card?.text, broken.card?.choices], ["No such thing.", ["home"]]);
});

test("troubles of camera and microphone", () => {
  const kinds: TroubleKind[] = ["denied", "missing", "busy", "insecure", "unsuitable", "other"];
  const scene = (kind: TroubleKind, camera: boolean, microphone: boolean, wanted = { audio: true, video: true }) => {
    const trouble: Trouble = { kind, camera, microphone, detail: "the browser's words" };
    return sceneOf(model({ name: "outside" }, { name: "trouble", trouble }, { wanted }));
  };
  const said = new Set<string>();
  for (const kind of kinds) {
    for (const [camera, microphone] of [
      [true, true],
      [true, false],
      [false, true],
    ] as const) {
      const { status, card, tone } = scene(kind, camera, microphone);
      assert.equal(tone, "bad");
      assert.equal(status, card?.title);
      if (kind !== "insecure") assert.equal(status.includes("camera"), camera, status);
      if (kind !== "insecure") assert.equal(status.includes("microphone"), microphone, status);
      assert.ok(card?.choices.includes("withoutBoth"), status);
      said.add(`${status} ${card?.text}`);
    }
  }
  assert.equal(said.size, kinds.length * 3 - 2, "an insecure page has neither");
  assert.deepEqual(scene("denied", true, true).card?.choices, ["askAgain", "withoutCamera", "withoutBoth"]);
  assert.deepEqual(
    scene("missing", true, false).card?.choices,
    ["withoutCamera", "askAgain", "withoutBoth"],
    "the microphone is there",
  );
  assert.deepEqual(
    scene("missing", true, true).card?.choices,
    ["askAgain", "withoutBoth"],
    "there is nothing to do without a camera",
  );
  assert.deepEqual(scene("missing", false, true).card?.choices, ["askAgain", "withoutBoth"]);
  assert.deepEqual(scene("denied", false, true, { audio: true, video: false }).card?.choices, ["askAgain", "withoutBoth"]);
  assert.deepEqual(scene("insecure", true, true).card?.choices, ["withoutBoth"], "asking again would change nothing");
  assert.match(scene("other", true, true).card?.text ?? "", /browser's words/);
});

test("every choice has a name", () => {
  for (const label of Object.values(LABELS)) assert.match(label, /^[A-Z]/);
});
