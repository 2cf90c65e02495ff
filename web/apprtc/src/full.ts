// The page of a room that is full. It says so, and leads back, without a script too; only the query it takes from there.
import { byId, write } from "./view/dom.ts";

write(byId("room", HTMLElement), decodeURIComponent(location.pathname.split("/").pop() ?? ""));
byId("home", HTMLAnchorElement).search = location.search;
