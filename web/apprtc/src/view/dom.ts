// Elements of a page, by their ids. Text is only ever set as text: names of rooms and notices come from strangers.

export function byId<T extends Element>(id: string, kind: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`the page has no ${kind.name} with the id ${id}`);
  return element;
}

/** Set a text that may be what it was: what is read aloud is read when it changes. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function show(element: HTMLElement, isShown: boolean): void {
  if (element.hidden === isShown) element.hidden = !isShown;
}

export function make<K extends keyof HTMLElementTagNameMap>(tag: K, text: string, className = ""): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

/** The parameters that the server put into the page, as JSON. */
export function pageJson(): string {
  return byId("params", HTMLScriptElement).textContent ?? "";
}

/** What the server has to say to everyone who opens the page. */
export function showNotices(notices: readonly string[]): void {
  const items = notices.filter((notice) => notice.trim() !== "").map((notice) => make("li", notice, "notice"));
  byId("notices", HTMLElement).replaceChildren(...items);
}
