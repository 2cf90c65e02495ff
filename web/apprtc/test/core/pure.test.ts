// The small parts of the core.
import assert from "node:assert/strict";
import { test } from "node:test";
import { colliderUrl, joinUrl, leaveUrl, messageUrl } from "../../src/core/addresses.ts";
import { pause } from "../../src/core/backoff.ts";
import { trackConstraints } from "../../src/core/constraints.ts";
import { iceServers, parseIceReply } from "../../src/core/ice.ts";
import { judgeDelivery, judgeMessage } from "../../src/core/judge.ts";
import { troubleOf, type Wanted } from "../../src/core/media.ts";
import {
  decodeFrame,
  decodeMessage,
  describe,
  registerFrame,
  sendFrame,
  sessionOf,
  tellCandidate,
} from "../../src/core/messages.ts";
import { parseJoinReply, parsePageParams } from "../../src/core/params.ts";
import { MAX_CHARS, MAX_RECENT, randomRoom, recentRooms, roomProblem, withoutRoom, withRoom } from "../../src/core/rooms.ts";

test("messages are written as AppRTC's clients write them", () => {
  assert.equal(describe({ type: "offer", sdp: "v=0\r\n" }), '{"type":"offer","sdp":"v=0\\r\\n"}');
  const candidate = { label: 1, id: "video", candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host" };
  assert.equal(tellCandidate(candidate), `{"type":"candidate","label":1,"id":"video","candidate":"${candidate.candidate}"}`);
  assert.equal(registerFrame("r", "1"), '{"cmd":"register","roomid":"r","clientid":"1"}');
  assert.equal(sendFrame('{"type":"bye"}'), '{"cmd":"send","msg":"{\\"type\\":\\"bye\\"}"}');
});

test("messages come back as they were, and what is none is none", () => {
  const offer = { type: "offer", sdp: "v=0" } as const;
  const candidate = { type: "candidate", label: 0, id: "0", candidate: "candidate:1" } as const;
  assert.deepEqual(decodeMessage(describe(offer)), offer);
  assert.deepEqual(decodeMessage(tellCandidate(candidate)), candidate);
  assert.deepEqual(decodeMessage('{"type":"bye","more":1}'), { type: "bye" });
  assert.deepEqual(decodeMessage('{"type":"candidate","label":0,"candidate":"candidate:1"}'), { ...candidate, id: "" });
  const none = [
    "",
    "{",
    "3",
    "null",
    "[]",
    "{}",
    '{"type":"offer"}',
    '{"type":"offer","sdp":3}',
    '{"type":"candidate","label":"0","candidate":"x"}',
    '{"type":"candidate","label":0.5,"candidate":"x"}',
    '{"type":"candidate","label":0,"candidate":""}',
    '{"type":"remove-candidates","candidates":[]}',
  ];
  for (const text of none) assert.equal(decodeMessage(text), undefined, text);
});

test("a frame of the message server holds a message or a complaint", () => {
  assert.equal(decodeFrame('{"msg":"{\\"type\\":\\"bye\\"}","error":""}\n'), '{"type":"bye"}');
  for (const none of ['{"msg":"","error":"Max room capacity reached"}\n', "", "x", '{"msg":3}'])
    assert.equal(decodeFrame(none), undefined);
});

test("sessions are told by their origin line", () => {
  assert.equal(sessionOf("v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\n"), "4611731400430051336");
  assert.equal(sessionOf("v=0\r\n"), "");
});

test("addresses lie below the home page, and keep the query", () => {
  const place = { base: "https://x.test/apprtc/", room: "r-1", query: "?a=1&access_token=t" };
  assert.equal(joinUrl(place), "https://x.test/apprtc/join/r-1?a=1&access_token=t");
  assert.equal(messageUrl(place, "7"), "https://x.test/apprtc/message/r-1/7?a=1&access_token=t");
  assert.equal(leaveUrl({ ...place, query: "" }, "7"), "https://x.test/apprtc/leave/r-1/7");
  assert.equal(colliderUrl("https://c.test:8089", place, "7"), "https://c.test:8089/r-1/7");
  assert.equal(colliderUrl("https://c.test/collider/", place, "7"), "https://c.test/collider/r-1/7");
  assert.equal(
    colliderUrl("https://c.test/collider?access_token=t?", place, "7"),
    "https://c.test/collider/r-1/7?access_token=t?",
  );
});

test("pauses grow to eight seconds, and are not all the same", () => {
  const longest = [0, 1, 2, 3, 4, 5, 50].map((tries) => pause(tries, () => 0.999_999));
  assert.deepEqual(
    longest.map((seconds) => Math.round(seconds * 10) / 10),
    [0.5, 1, 2, 4, 8, 8, 8],
  );
  assert.equal(
    pause(0, () => 0),
    0.25,
  );
});

test("ICE servers that a browser would not take are left out", () => {
  const turn = { username: "u", credential: "c" };
  assert.deepEqual(iceServers([{ urls: [] }], ""), [], "as an AppRTC without any answers");
  assert.deepEqual(iceServers([{ urls: ["stun:a", "http://b", 3] }, {}, 3, null], ""), [{ urls: ["stun:a"] }]);
  assert.deepEqual(iceServers([{ urls: "turn:a", ...turn }], ""), [{ urls: ["turn:a"], ...turn }]);
  assert.deepEqual(iceServers([{ urls: ["turn:a", "stun:b"], username: "u" }], ""), [{ urls: ["stun:b"] }]);
  const both = [{ urls: ["turn:a?transport=udp", "turns:a?transport=tcp", "stun:b"], ...turn }];
  assert.deepEqual(iceServers(both, "tcp"), [{ urls: ["turns:a?transport=tcp"], ...turn }]);
  for (const none of [undefined, {}, "x"]) assert.deepEqual(iceServers(none, ""), []);
  assert.deepEqual(parseIceReply('{"iceServers":[],"lifetimeDuration":"86400s"}', ""), []);
  for (const none of ["", "{}", '{"iceServers":3}']) assert.equal(parseIceReply(none, ""), undefined);
});

test("page parameters", () => {
  const params = {
    room_id: "r",
    media_constraints: '{"audio": false, "video": {"mandatory": {}, "optional": [{"minWidth": "1280"}]}}',
    header_message: null,
    error_messages: ["e", 3],
    warning_messages: ["w"],
    bypass_join_confirmation: "true",
  };
  assert.deepEqual(parsePageParams(JSON.stringify(params)), {
    room: "r",
    wantsAudio: false,
    wantsVideo: { mandatory: {}, optional: [{ minWidth: "1280" }] },
    header: "",
    errors: ["e"],
    warnings: ["w"],
    joinsAtOnce: true,
  });
  const nothing = { room: "", wantsAudio: true, wantsVideo: true, header: "", errors: [], warnings: [], joinsAtOnce: false };
  for (const none of ["", "{}", "[]", '{"bypass_join_confirmation":"false"}']) assert.deepEqual(parsePageParams(none), nothing);
});

test("join replies", () => {
  assert.deepEqual(parseJoinReply('{"result": "FULL", "params": {"messages": []}}'), { result: "FULL" });
  for (const none of ["", "{}", "<html>", '{"result":"SUCCESS"}', '{"result":"SUCCESS","params":{"client_id":"1"}}']) {
    assert.equal(parseJoinReply(none), undefined, none);
  }
  const params = {
    client_id: "12345678",
    is_initiator: "false",
    is_loopback: "false",
    messages: ["{}", 3],
    wss_url: "wss://c/ws",
    wss_post_url: "https://c",
    ice_server_url: "",
    ice_server_transports: "udp",
    pc_config: '{"iceServers": [], "bundlePolicy": "max-bundle", "rtcpMuxPolicy": "negotiate", "iceTransports": "relay"}',
    offer_options: '{"iceRestart": true}',
  };
  assert.deepEqual(parseJoinReply(JSON.stringify({ result: "SUCCESS", params })), {
    result: "SUCCESS",
    membership: {
      client: "12345678",
      isInitiator: false,
      isLoopback: false,
      messages: ["{}"],
      socketUrl: "wss://c/ws",
      postUrl: "https://c",
      iceUrl: "",
      iceTransport: "udp",
      config: { iceServers: [], bundlePolicy: "max-bundle", iceTransportPolicy: "relay" },
      offerOptions: { iceRestart: true },
    },
  });
});

test("constraints of before the standard become the standard's", () => {
  for (const yes of [
    true,
    undefined,
    null,
    "true",
    {},
    { mandatory: {}, optional: [] },
    { optional: [{ googLeakyBucket: "true" }] },
  ]) {
    assert.equal(trackConstraints(yes), true, JSON.stringify(yes));
  }
  for (const no of [false, "false"]) assert.equal(trackConstraints(no), false);
  assert.deepEqual(trackConstraints({ mandatory: { minWidth: "1280", maxWidth: 1920 }, optional: [{ minHeight: "720" }] }), {
    width: { min: 1280, max: 1920 },
    height: { ideal: 720 },
  });
  assert.deepEqual(trackConstraints({ optional: [{ minWidth: "640" }], mandatory: { maxWidth: "800" } }), {
    width: { ideal: 640, max: 800 },
  });
  assert.deepEqual(trackConstraints({ optional: [{ googEchoCancellation: "false" }, { sourceId: "x" }] }), {
    echoCancellation: false,
    deviceId: { ideal: "x" },
  });
  assert.deepEqual(trackConstraints({ mandatory: { sourceId: "x", minFrameRate: "no number" }, fake: true }), {
    deviceId: { exact: "x" },
    fake: true,
  });
});

test("answers to messages", () => {
  const reply = (result: string) => ({ status: 200, body: JSON.stringify({ result }) });
  assert.equal(judgeMessage(reply("SUCCESS")), "through");
  assert.equal(judgeMessage(reply("UNKNOWN_ROOM")), "unknown");
  assert.equal(judgeMessage(reply("UNKNOWN_CLIENT")), "unknown");
  for (const again of [reply("ERROR"), { status: 200, body: "<html>" }]) assert.equal(judgeMessage(again), "again");
  for (const judge of [judgeMessage, judgeDelivery]) {
    for (const status of [0, 408, 429, 500, 503]) assert.equal(judge({ status, body: "" }), "again", String(status));
    for (const status of [301, 400, 401, 403, 404, 413]) assert.equal(judge({ status, body: "" }), "refused", String(status));
  }
  assert.equal(judgeDelivery({ status: 200, body: "OK\n" }), "through");
});

test("why camera and microphone may not be had", () => {
  const both: Wanted = { audio: true, video: true };
  const present = new Set(["audioinput"]);
  const trouble = (name: string, wanted = both, devices = present) => troubleOf({ name, message: "m" }, wanted, devices);
  assert.deepEqual(trouble("NotAllowedError"), { kind: "denied", camera: true, microphone: true, detail: "" });
  assert.deepEqual(trouble("NotFoundError"), { kind: "missing", camera: true, microphone: false, detail: "" });
  assert.deepEqual(trouble("NotFoundError", both, new Set()), { kind: "missing", camera: true, microphone: true, detail: "" });
  assert.deepEqual(trouble("NotFoundError", both, new Set(["audioinput", "videoinput"])).kind, "missing");
  assert.deepEqual(trouble("NotReadableError", { ...both, video: false }), {
    kind: "busy",
    camera: false,
    microphone: true,
    detail: "",
  });
  assert.deepEqual(trouble("OverconstrainedError").kind, "unsuitable");
  assert.deepEqual(trouble("TypeError"), { kind: "other", camera: true, microphone: true, detail: "TypeError: m" });
});

test("names of rooms", () => {
  for (const good of ["abcde", "a-b_C9", "x".repeat(MAX_CHARS)]) assert.equal(roomProblem(good), "", good);
  for (const bad of ["", "abcd", "a b c d", "äbcde", "abc/de", "x".repeat(MAX_CHARS + 1)])
    assert.notEqual(roomProblem(bad), "", bad);
});

test("invented names are names, and use all letters", () => {
  const bounds = new Set<number>();
  const names = Array.from({ length: 40 }, (_, index) =>
    randomRoom((bound) => {
      bounds.add(bound);
      return index % bound;
    }),
  );
  for (const name of names) {
    assert.match(name, /^[a-z]{3}-[a-z]{4}-[a-z]{3}$/);
    assert.equal(roomProblem(name), "");
  }
  const [letters = 0] = bounds;
  assert.equal(new Set(names).size, letters);
  assert.ok(Math.log2(letters) * 10 > 40);
});

test("rooms used lately: the newest first, each once, not too many, and only names", () => {
  assert.equal(withRoom([], "room-1"), '["room-1"]');
  assert.deepEqual(recentRooms(withRoom(["room-1", "room-2"], "room-2")), ["room-2", "room-1"]);
  const many = Array.from({ length: 20 }, (_, index) => `room-${index}`);
  assert.equal(recentRooms(withRoom(many, "newest")).length, MAX_RECENT);
  assert.deepEqual(recentRooms('["room-1", 3, "<b>", "room-1", "no"]'), ["room-1"]);
  for (const none of [null, "", "{}", "x"]) assert.deepEqual(recentRooms(none), []);
  assert.deepEqual(withoutRoom(["room-1", "room-2"], "room-1"), ["room-2"]);
});
