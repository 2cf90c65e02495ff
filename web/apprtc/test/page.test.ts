// What the pages are made of.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { askForMedia, MediaRefused } from "../src/io/media.ts";
import { forgetRoom, leaveStep, loadRooms, rememberRoom, storeOf, takeStep } from "../src/io/store.ts";
import { linkOf } from "../src/view/link.ts";

// the runner works in web/
const STYLE = readFileSync("apprtc/static/css/style.css", "utf8");
const PAGES = ["home", "call", "full"].map((name) => [name, readFileSync(`apprtc/${name}.html`, "utf8")] as const);

test("the pages keep their own policy: no style and no program in them, nothing from elsewhere", () => {
  for (const [name, page] of PAGES) {
    assert.doesNotMatch(page, /\sstyle=|<style|\son\w+=|javascript:/i, name);
    // But for the one that the server puts in the place of these words, and allows by its hash.
    const loading = page.split('<script>"LOADING"</script>');
    assert.equal(loading.length, name === "full" ? 1 : 2, name);
    for (const [script] of loading.join("").matchAll(/<script[^>]*>/g)) {
      assert.match(script, /type="application\/json" id="params"|type="module" src="(\.\.\/)?js\//, name);
    }
    // Relative, so that they work below any prefix.
    for (const [, url] of page.matchAll(/\s(?:src|href)="([^"]*)"/g)) {
      assert.match(url ?? "", /^$|^#|^(\.\.\/)?((js|css|images)\/[\w.-]+)?$/, name);
    }
    assert.equal(page.split('"PARAMS"').length, name === "full" ? 1 : 2, name);
  }
  assert.doesNotMatch(STYLE, /@import|url\(/);
});

function colours(from: number): Map<string, string> {
  const body = STYLE.slice(from, STYLE.indexOf("}", from));
  return new Map([...body.matchAll(/--([\w-]+): ([^;]+);/g)].map((match) => [match[1] ?? "", match[2] ?? ""]));
}

const LIGHT = colours(STYLE.indexOf(":root {"));
const DARK = colours(STYLE.indexOf(":root {", STYLE.indexOf("prefers-color-scheme: dark")));

/** WCAG 2.2, contrast ratio of two #rrggbb colours. */
function contrast(one: string, other: string): number {
  const luminance = (colour: string) => {
    const parts = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
    const [red, green, blue] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * (red ?? 0) + 0.7152 * (green ?? 0) + 0.0722 * (blue ?? 0);
  };
  const [darker, lighter] = [luminance(one), luminance(other)].sort((low, high) => low - high);
  return ((lighter ?? 0) + 0.05) / ((darker ?? 0) + 0.05);
}

test("text has a contrast of 4.5 and controls have one of 3 in both themes", () => {
  const texts = [
    ["ink", ["ground", "panel", "notice", "accent-wash"]],
    ["soft", ["ground", "panel"]],
    ["accent", ["ground", "panel"]],
    ["accent-ink", ["accent"]],
    ["bad", ["panel"]],
    ["bad-ink", ["bad"]],
    ["on-behind", ["behind"]],
  ] as const;
  assert.deepEqual([...DARK.keys()], [...LIGHT.keys()]);
  for (const theme of [LIGHT, DARK]) {
    const at = (name: string) => theme.get(name) ?? "";
    for (const [text, grounds] of texts) {
      for (const ground of grounds) {
        const ratio = contrast(at(text), at(ground));
        assert.ok(ratio >= 4.5, `${text} ${at(text)} on ${ground} ${at(ground)}: ${ratio.toFixed(2)}`);
      }
    }
    for (const mark of ["strong-line", "good", "busy", "bad"]) assert.ok(contrast(at(mark), at("ground")) >= 3, mark);
    assert.ok(contrast(at("strong-line"), at("panel")) >= 3);
  }
});

test("every colour that is used is one of the theme's", () => {
  for (const [, name] of STYLE.matchAll(/var\(--([\w-]+)/g)) assert.ok(LIGHT.has(name ?? ""), name);
});

test("a link for somebody else has no token", () => {
  assert.deepEqual(linkOf("https://x.test/r/room-1?hd=true&access_token=a.b.c#x"), {
    link: "https://x.test/r/room-1?hd=true",
    hadToken: true,
  });
  assert.deepEqual(linkOf("https://x.test/r/room-1"), { link: "https://x.test/r/room-1", hadToken: false });
});

class FakeStorage {
  items = new Map<string, string>();
  getItem = (key: string) => this.items.get(key) ?? null;
  setItem = (key: string, value: string) => void this.items.set(key, value);
  removeItem = (key: string) => void this.items.delete(key);
}

test("rooms are remembered and forgotten", () => {
  const store = new FakeStorage();
  rememberRoom(store, "room-1");
  rememberRoom(store, "room-2");
  assert.deepEqual(loadRooms(store), ["room-2", "room-1"]);
  forgetRoom(store, "room-2");
  assert.deepEqual(loadRooms(store), ["room-1"]);
});

test("what a page did is known to the next, and to no other", () => {
  const store = new FakeStorage();
  for (const step of ["chosen", "left"] as const) {
    leaveStep(store, step, "room-1");
    assert.equal(takeStep(store, step, "room-2"), false);
    assert.equal(takeStep(store, step, "room-1"), false);
    leaveStep(store, step, "room-1");
    assert.equal(takeStep(store, step, "room-1"), true);
    assert.equal(takeStep(store, step, "room-1"), false);
  }
  leaveStep(store, "left", "room-1");
  assert.equal(takeStep(store, "chosen", "room-1"), false);
});

test("a browser may have no storage, or a full one", () => {
  const closed = storeOf(() => {
    throw new Error("SecurityError");
  });
  const full = {
    ...new FakeStorage(),
    setItem: () => {
      throw new Error("QuotaExceededError");
    },
  };
  for (const store of [closed, full]) {
    rememberRoom(store, "room-1");
    leaveStep(store, "chosen", "room-1");
    assert.deepEqual(loadRooms(store), []);
    assert.equal(takeStep(store, "chosen", "room-1"), false);
  }
});

test("camera and microphone are asked for, or why not is known", async () => {
  const wanted = { audio: true, video: true };
  const devices = (answer: () => Promise<unknown>, list: () => Promise<unknown>) =>
    ({ getUserMedia: answer, enumerateDevices: list }) as unknown as MediaDevices;
  const none = async () => [];
  const fails = async () => {
    throw Object.assign(new Error("x"), { name: "NotFoundError" });
  };
  assert.equal(await askForMedia(undefined, { audio: false, video: false }), undefined);
  assert.equal(
    await askForMedia(
      devices(async () => "stream", none),
      wanted,
    ),
    "stream",
  );
  const trouble = async (found: MediaDevices | undefined) => {
    const error: unknown = await askForMedia(found, wanted).catch((refused: unknown) => refused);
    assert.ok(error instanceof MediaRefused);
    return error.trouble;
  };
  assert.equal((await trouble(undefined)).kind, "insecure");
  const camera = async () => [{ kind: "videoinput" }];
  assert.deepEqual(await trouble(devices(fails, camera)), { kind: "missing", camera: false, microphone: true, detail: "" });
  assert.deepEqual(await trouble(devices(fails, fails)), { kind: "missing", camera: true, microphone: true, detail: "" });
  assert.equal((await trouble(devices(() => Promise.reject("odd"), none))).kind, "other");
});
