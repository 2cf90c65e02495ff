/** The dashboard: frames go into the state, the state goes onto the page, at most once per frame of the screen. */

import { Feed, type Phase, type Socket } from "./feed.ts";
import { type ClusterState, EMPTY, reduce } from "./state.ts";
import { keptTheme, useTheme } from "./theme.ts";
import { forgetToken, keepToken, keptToken, takeFromAddress } from "./token.ts";
import { Page } from "./views/page.ts";

const LIVE_PATH = "/dashboard/live";
const TICK_MS = 1000;

useTheme(keptTheme());

let state: ClusterState = EMPTY;
let heard = 0;
let drawing = false;

const now = () => performance.now();

const page = new Page({
  offerToken(token) {
    keepToken(sessionStorage, token);
    feed.start(token);
  },
  forgetToken() {
    forget();
    feed.start("");
  },
  tryNow: () => feed.retry(),
  reload: () => location.reload(),
});

const feed = new Feed(
  {
    open: () => new WebSocket(liveUrl()) as Socket,
    now,
    random: Math.random,
    after(milliseconds, call) {
      const timer = setTimeout(call, milliseconds);
      return () => clearTimeout(timer);
    },
  },
  {
    frame(frame) {
      state = reduce(state, frame);
      heard = now();
      page.entitle(state);
      drawSoon();
    },
    phase: entered,
  },
);

/** A page that cannot be seen gets no frames of the screen: it keeps up with the state and draws when it is seen again. */
function drawSoon(): void {
  if (!drawing) {
    drawing = true;
    requestAnimationFrame(() => {
      drawing = false;
      page.draw(state, heard);
    });
  }
}

function entered(phase: Phase): void {
  if (phase.kind === "token") {
    // without a valid token nothing is shown, and nothing is kept
    forget();
  }
  page.enter(phase, now());
}

function forget(): void {
  forgetToken(sessionStorage);
  state = EMPTY;
  heard = 0;
  page.draw(state, heard);
}

function liveUrl(): string {
  const url = new URL(LIVE_PATH, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

addEventListener("hashchange", () => {
  const token = takeFromAddress(location, history, sessionStorage);
  if (token !== null) {
    feed.start(token);
  }
});
addEventListener("online", () => feed.retry());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) {
    feed.retry();
  }
});
setInterval(() => page.tick(now()), TICK_MS);

feed.start(takeFromAddress(location, history, sessionStorage) ?? keptToken(sessionStorage));
