// The link of the room, to be sent to the other person.
import { byId, show } from "./dom.ts";
import type { Teller } from "./teller.ts";

const TOKEN = "access_token";

/** The page's address for somebody else, without the token, which is the person's own. */
export function linkOf(href: string): { link: string; hadToken: boolean } {
  const url = new URL(href);
  const hadToken = url.searchParams.has(TOKEN);
  if (hadToken) url.searchParams.delete(TOKEN);
  url.hash = "";
  return { link: url.href, hadToken };
}

export class LinkCopier {
  readonly #teller: Teller;
  readonly #row = byId("link-row", HTMLElement);
  readonly #field = byId("link", HTMLInputElement);

  constructor(teller: Teller) {
    this.#teller = teller;
  }

  async copy(): Promise<void> {
    const { link, hadToken } = linkOf(location.href);
    const own = hadToken ? " without your token: who opens it needs one of their own" : "";
    try {
      await navigator.clipboard.writeText(link);
      this.#teller.tell(`The link is copied${own}.`);
    } catch {
      // Only secure pages may write there, and only with the person's leave.
      this.#field.value = link;
      show(this.#row, true);
      this.#field.focus();
      this.#field.select();
      this.#teller.tell(`Copy the link from the field${own && `; it is${own}`}.`);
    }
  }
}
