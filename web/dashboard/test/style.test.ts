import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

// the runner bundles tests elsewhere and runs them in web/
const STYLE = readFileSync("dashboard/style.css", "utf8");
const PAGE = readFileSync("dashboard/index.html", "utf8");
const STYLES = STYLE + readFileSync("dashboard/static/cluster.css", "utf8");

/** The colours of a rule, by name. */
function colours(selector: string): Map<string, string> {
  const start = STYLE.indexOf(`${selector} {`);
  assert.ok(start >= 0, selector);
  const body = STYLE.slice(start, STYLE.indexOf("}", start));
  return new Map([...body.matchAll(/--([\w-]+): ([^;]+);/g)].map((match) => [match[1] ?? "", match[2] ?? ""]));
}

const LIGHT = colours(":root");
const DARK = colours(':root[data-theme="dark"]');

test("dark by the system and dark by choice are the same", () => {
  assert.deepEqual(colours(':root:not([data-theme="light"])'), DARK);
  assert.deepEqual([...DARK.keys()], [...LIGHT.keys()]);
});

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

const TEXTS = [
  ["ink", ["ground", "panel", "raised", "accent-wash", "bar", "bad-wash", "warn-wash"]],
  ["soft", ["ground", "panel", "raised", "accent-wash"]],
  ["accent", ["ground", "panel"]],
  ["accent-ink", ["accent"]],
  ["good", ["panel", "raised"]],
  ["warn", ["panel", "warn-wash"]],
  ["bad", ["panel", "bad-wash"]],
] as const;

test("text has a contrast of 4.5 and controls have one of 3 in both themes", () => {
  for (const theme of [LIGHT, DARK]) {
    const at = (name: string) => theme.get(name) ?? "";
    for (const [text, grounds] of TEXTS) {
      for (const ground of grounds) {
        const ratio = contrast(at(text), at(ground));
        assert.ok(ratio >= 4.5, `${text} ${at(text)} on ${ground} ${at(ground)}: ${ratio.toFixed(2)}`);
      }
    }
    assert.ok(contrast(at("strong-line"), at("panel")) >= 3);
  }
});

test("the page keeps its own policy: no style or script in it, nothing from elsewhere", () => {
  assert.doesNotMatch(PAGE, /\sstyle=|<style|\son\w+=|javascript:/i);
  assert.doesNotMatch(PAGE, /<script(?![^>]*\ssrc="\/dashboard\/)/);
  for (const [, url] of PAGE.matchAll(/\s(?:src|href)="([^"]+)"/g)) {
    assert.match(url ?? "", /^(#|\/(?!\/))/);
  }
  assert.doesNotMatch(STYLES, /@import|url\(/);
});

test("every colour that is used is one of the theme's", () => {
  for (const [, name] of STYLES.matchAll(/var\(--([\w-]+)/g)) {
    assert.ok(LIGHT.has(name ?? "") || name === "share" || name === "least", name);
  }
});
