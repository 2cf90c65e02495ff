import assert from "node:assert/strict";
import { test } from "node:test";
import { THIN } from "../src/format.ts";
import { EMPTY, reduce } from "../src/state.ts";
import { bannerOf, type Status, statusOf, titleOf, tokenProblem, tokenTrouble } from "../src/status.ts";
import { retryDelay, verdictOf } from "../src/verdict.ts";
import { frame, server } from "./cluster.ts";

const CONNECTING: Status = { tone: "busy", word: "Connecting" };
const LIVE = statusOf({ kind: "live" }, CONNECTING);
const LOST = { kind: "lost", why: "", retryAt: 4_000 } as const;

test("the word does not flicker while a lost connection is tried", () => {
  const lost = statusOf(LOST, LIVE);
  assert.equal(lost.word, "Disconnected");
  assert.equal(statusOf({ kind: "connecting" }, lost), lost);
  assert.equal(statusOf({ kind: "connecting" }, LIVE).word, "Connecting");
  assert.equal(statusOf({ kind: "token", trouble: "wanted" }, lost).tone, "quiet");
});

test("the banner says what is wrong, how old the picture is, and what comes next", () => {
  const lost = statusOf(LOST, LIVE);
  const says = (text: string) => text.replaceAll(THIN, " ");
  assert.equal(
    says(bannerOf(LOST, lost, 1_000, 3_000)),
    "No connection to the coordinator. Packets flow without it. Shown is how things stood 2 s ago. Next try in 1 s.",
  );
  assert.match(
    says(bannerOf({ ...LOST, why: "it is stopping" }, lost, 0, 9_000)),
    /coordinator: it is stopping\..* Next try in 0 s\.$/,
  );
  assert.match(bannerOf({ kind: "connecting" }, lost, 0, 0), /Trying now\.$/);
  const full = statusOf({ kind: "full", retryAt: 9 }, LIVE);
  assert.match(bannerOf({ kind: "full", retryAt: 9 }, full, 0, 0), /^As many dashboards/);
  assert.equal(bannerOf({ kind: "live" }, LIVE, 1, 2), "");
});

test("the title tells clients and servers, also of the tab that nobody looks at", () => {
  const state = reduce(EMPTY, frame(1, [server("1", { clients: 3 }), server("2", { clients: 4 })]));
  assert.equal(titleOf(LIVE, state), "7 clients · 2 servers – rtcbroker");
  assert.equal(titleOf(statusOf(LOST, LIVE), state), "(offline) 7 clients · 2 servers – rtcbroker");
  assert.equal(titleOf(CONNECTING, EMPTY), "Connecting – rtcbroker");
  assert.equal(titleOf(statusOf({ kind: "token", trouble: "expired" }, LIVE), state), "Token wanted – rtcbroker");
});

test("what is no token is seen before anybody is asked", () => {
  assert.equal(tokenProblem(" aaa.bb-b.c_c "), "");
  assert.match(tokenProblem(" "), /Paste/);
  assert.match(tokenProblem("secret"), /no token/);
  assert.match(tokenProblem("a.b.c d"), /no token/);
  assert.equal(tokenTrouble("wanted"), "");
  assert.match(tokenTrouble("role"), /ADMIN/);
});

test("an end without a token is the wish for one", () => {
  assert.deepEqual(verdictOf(4214, "", false), { kind: "token", trouble: "wanted" });
  assert.deepEqual(verdictOf(1013, "", true), { kind: "full" });
  assert.deepEqual(verdictOf(1006, "whatever", true), { kind: "lost", why: "" });
  assert.deepEqual(verdictOf(4000, "something failed", true), { kind: "lost", why: "something failed" });
});

test("chance spreads the tries over half of the time", () => {
  const lost = verdictOf(1006, "", false);
  assert.equal(retryDelay(lost, 2, 0), 1);
  assert.equal(retryDelay(lost, 2, 1), 2);
  assert.equal(retryDelay(lost, 10_000, 1), 15);
});
