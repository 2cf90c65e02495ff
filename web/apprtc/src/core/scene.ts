// What the call page shows and says, for each state of the call and of camera and microphone.
import type { Trouble, Wanted } from "./media.ts";
import type { Failure, State } from "./states.ts";

/** Camera and microphone of this page. */
export type Media =
  /** Not asked for, or given back. */
  | { readonly name: "off" }
  | { readonly name: "asking" }
  | { readonly name: "trouble"; readonly trouble: Trouble }
  | { readonly name: "ready"; readonly hasAudio: boolean; readonly hasVideo: boolean };

/** What a person can do on the card in the middle. */
export type Choice =
  | "join"
  | "cancel"
  | "askAgain"
  | "withoutCamera"
  | "withoutBoth"
  | "tryAgain"
  | "joinAgain"
  | "copyLink"
  | "home";

export interface Card {
  readonly title: string;
  readonly text: string;
  /** The first is what most will want. */
  readonly choices: readonly Choice[];
}

export interface Model {
  readonly room: string;
  readonly state: State;
  readonly media: Media;
  readonly wanted: Wanted;
  /** The server's word against this page; empty: none. */
  readonly error: string;
}

export interface Scene {
  /** In one sentence, for everyone: it is also read aloud. */
  readonly status: string;
  readonly tone: "calm" | "busy" | "good" | "bad";
  readonly card: Card | undefined;
  /** Whether the person is in the room, so that there is something to hang up. */
  readonly isInside: boolean;
}

export const LABELS: Readonly<Record<Choice, string>> = {
  join: "Join",
  cancel: "Cancel",
  askAgain: "Try again",
  withoutCamera: "Join without camera",
  withoutBoth: "Only watch and listen",
  tryAgain: "Try again",
  joinAgain: "Join again",
  copyLink: "Copy the link",
  home: "Another room",
};

export function sceneOf(model: Model): Scene {
  const { state, room } = model;
  switch (state.name) {
    case "outside":
      return beforeJoining(model);
    case "joining":
      return outside("Joining the room …", "busy", { title: "Joining …", text: `The way into ${room}.`, choices: ["cancel"] });
    case "waiting":
      return inside(WAITING[state.why].status, "calm", { ...WAITING[state.why], choices: ["copyLink"] });
    case "connecting":
      return inside("The other person is here. Connecting …", "busy", CONNECTING);
    case "connected":
      return inside("You are in a call.", "good", undefined);
    case "interrupted":
      return inside("The connection is interrupted. Trying to get it back …", "bad", INTERRUPTED);
    case "full":
      return outside(FULL.title, "bad", FULL);
    case "failed":
      return failed(state.why, state.detail);
    case "leaving":
      return outside("Leaving …", "busy", { title: "Leaving …", text: "", choices: [] });
    case "left":
      return outside("You have left the room.", "calm", {
        title: "You have left the room",
        text: "Camera and microphone are off.",
        choices: ["joinAgain", "home"],
      });
  }
}

const WAITING = {
  first: {
    status: "Nobody else is here yet.",
    title: "Nobody else is here yet",
    text: "Send the link to one other person. The call begins by itself when they come.",
  },
  left: {
    status: "The other person has left.",
    title: "The other person has left",
    text: "If they come back, or somebody else comes, the call begins by itself.",
  },
  lost: {
    status: "The connection to the other person is lost.",
    title: "The connection is lost",
    text: "The other person cannot be reached. If they come back, the call begins by itself.",
  },
} as const;

const CONNECTING: Card = { title: "Connecting …", text: "The other person is here.", choices: [] };
const INTERRUPTED: Card = { title: "Interrupted", text: "Trying to get the connection back …", choices: [] };
const FULL: Card = {
  title: "Sorry, this room is full.",
  text: "Two people are in it already. Try again when one of them has left, or take another room.",
  choices: ["tryAgain", "home"],
};

function inside(status: string, tone: Scene["tone"], card: Card | undefined): Scene {
  return { status, tone, card, isInside: true };
}

function outside(status: string, tone: Scene["tone"], card: Card): Scene {
  return { status, tone, card, isInside: false };
}

function beforeJoining({ media, wanted, room, error }: Model): Scene {
  if (error !== "")
    return outside("This link cannot be used.", "bad", { title: "This link cannot be used", text: error, choices: ["home"] });
  const devices = naming(wanted.video !== false, wanted.audio !== false);
  switch (media.name) {
    case "off":
    case "asking":
      return outside(`Asking for your ${devices} …`, "busy", {
        title: `Your ${devices}, please`,
        text: "The browser asks whether this page may use them. Nobody sees or hears you before you join.",
        choices: [],
      });
    case "trouble":
      return outside(troubleTitle(media.trouble), "bad", troubleCard(media.trouble, wanted));
    case "ready":
      return outside("You are not in the room yet.", "calm", {
        title: "Ready to join?",
        text: readyText(media.hasAudio, media.hasVideo, room),
        choices: ["join"],
      });
  }
}

function readyText(hasAudio: boolean, hasVideo: boolean, room: string): string {
  if (hasAudio && hasVideo) return `Whoever is in ${room} will see and hear you.`;
  if (hasAudio) return `Whoever is in ${room} will hear you, but not see you.`;
  if (hasVideo) return `Whoever is in ${room} will see you, but not hear you.`;
  return `You will see and hear whoever is in ${room}, but they will neither see nor hear you.`;
}

function naming(camera: boolean, microphone: boolean, joint = "and"): string {
  if (camera && microphone) return `camera ${joint} microphone`;
  return camera ? "camera" : "microphone";
}

function troubleTitle({ kind, camera, microphone }: Trouble): string {
  const both = camera && microphone;
  switch (kind) {
    case "denied":
      return `Your ${naming(camera, microphone)} ${both ? "are" : "is"} blocked`;
    case "missing":
      return both ? "No camera and no microphone were found" : `No ${naming(camera, microphone)} was found`;
    case "busy":
      return `Your ${naming(camera, microphone, "or")} is in use`;
    case "insecure":
      return "This page is not secure";
    case "unsuitable":
      return `Your ${naming(camera, microphone, "or")} cannot do what the link asks for`;
    case "other":
      return `Your ${naming(camera, microphone)} did not start`;
  }
}

function troubleText({ kind, camera, microphone, detail }: Trouble): string {
  const it = camera && microphone ? "them" : "it";
  switch (kind) {
    case "denied":
      return `Allow ${it} for this page, beside the address or in the settings of browser and system, and try again.`;
    case "missing":
      return `Plug ${it} in and try again.`;
    case "busy":
      return "Another program or another tab has it. Close that and try again.";
    case "insecure":
      return "Browsers hand out camera and microphone over https only, or on localhost. Ask for the https address of this page.";
    case "unsuitable":
      return "The link demands a picture or a sound that none of your devices has.";
    case "other":
      return detail;
  }
}

function troubleCard(trouble: Trouble, wanted: Wanted): Card {
  const wantsBoth = wanted.audio !== false && wanted.video !== false;
  const isMicrophoneLeft = wantsBoth && !trouble.microphone;
  // Where both are in trouble, it may still be the camera's alone: not where there is none, nor where neither is handed out.
  const canGoWithout =
    isMicrophoneLeft || (wantsBoth && trouble.camera && trouble.kind !== "missing" && trouble.kind !== "insecure");
  const again: Choice[] = trouble.kind === "insecure" ? [] : ["askAgain"];
  const withoutCamera: Choice[] = canGoWithout ? ["withoutCamera"] : [];
  const ways = isMicrophoneLeft ? [...withoutCamera, ...again] : [...again, ...withoutCamera];
  return { title: troubleTitle(trouble), text: troubleText(trouble), choices: [...ways, "withoutBoth"] };
}

const FAILED: Readonly<Record<Failure, readonly [title: string, text: string]>> = {
  unreachable: ["The server does not answer", "Check your connection to the internet and try again."],
  unauthorized: ["You may not come in", "This server wants a token, and the link has none that is valid. Ask for a new link."],
  busy: ["Too many requests", "The server had too many requests from your network. Wait a little and try again."],
  refused: ["The room could not be entered", "The server's answer was not one to a join."],
};

function failed(why: Failure, detail: string): Scene {
  const [title, text] = FAILED[why];
  return outside(`${title}.`, "bad", { title, text: detail ? `${text} (${detail})` : text, choices: ["tryAgain", "home"] });
}
