// The home page: pick a room.
import { parsePageParams } from "./core/params.ts";
import { randomRoom, roomProblem } from "./core/rooms.ts";
import { forgetRoom, leaveStep, loadRooms, storeOf } from "./io/store.ts";
import { byId, make, pageJson, show, showNotices, write } from "./view/dom.ts";

const rooms = storeOf(() => localStorage);
const step = storeOf(() => sessionStorage);
const input = byId("room", HTMLInputElement);
const problem = byId("problem", HTMLElement);

/** Below what each letter of a name is as likely as any other: not a remainder of 2^32. */
function random(bound: number): number {
  const limit = 2 ** 32 - (2 ** 32 % bound);
  for (;;) {
    const [number = 0] = crypto.getRandomValues(new Uint32Array(1));
    if (number < limit) return number % bound;
  }
}

/** The page's own query goes along: it may carry a token. */
function addressOf(room: string): string {
  return `r/${room}${location.search}`;
}

function invent(): void {
  input.value = randomRoom(random);
  complain("");
}

function complain(words: string): void {
  write(problem, words);
  input.setAttribute("aria-invalid", String(words !== ""));
}

function join(): void {
  const room = input.value.trim();
  const words = roomProblem(room);
  complain(words);
  if (words !== "") {
    input.focus();
    return;
  }
  leaveStep(step, "chosen", room);
  location.assign(addressOf(room));
}

function roomItem(room: string): HTMLLIElement {
  const item = make("li", "");
  const link = make("a", room);
  link.href = addressOf(room);
  const forget = make("button", "Forget", "link");
  forget.type = "button";
  forget.append(make("span", ` ${room}`, "unseen"));
  forget.addEventListener("click", () => {
    forgetRoom(rooms, room);
    listRooms();
    input.focus();
  });
  item.append(link, forget);
  return item;
}

function listRooms(): void {
  const known = loadRooms(rooms);
  byId("rooms", HTMLElement).replaceChildren(...known.map(roomItem));
  show(byId("recent", HTMLElement), known.length > 0);
}

const params = parsePageParams(pageJson());
showNotices([params.header, ...params.errors, ...params.warnings]);
byId("form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  join();
});
input.addEventListener("input", () => complain(""));
byId("another", HTMLButtonElement).addEventListener("click", () => {
  invent();
  input.focus();
  input.select();
});
// A page that comes back from the browser's memory was left by a join.
addEventListener("pageshow", listRooms);
if (input.value === "") invent();
listRooms();
