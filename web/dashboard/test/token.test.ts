import assert from "node:assert/strict";
import { test } from "node:test";
import { forgetToken, keepToken, keptToken, takeFromAddress, tokenInFragment } from "../src/token.ts";

class FakeStorage {
  items = new Map<string, string>();
  getItem = (key: string) => this.items.get(key) ?? null;
  setItem = (key: string, value: string) => void this.items.set(key, value);
  removeItem = (key: string) => void this.items.delete(key);
}

const CLOSED = {
  getItem: () => {
    throw new Error("closed");
  },
  setItem: () => {
    throw new Error("closed");
  },
  removeItem: () => {
    throw new Error("closed");
  },
};

test("the token is read from the fragment", () => {
  assert.equal(tokenInFragment("#token=a.b-_.c"), "a.b-_.c");
  assert.equal(tokenInFragment("#x=1&token=%20a.b.c%20"), "a.b.c");
  for (const none of ["", "#", "#token=", "#server-12", "token"]) {
    assert.equal(tokenInFragment(none), null, none);
  }
});

test("it leaves the address, query and all else stay, and it is kept", () => {
  const storage = new FakeStorage();
  const replaced: unknown[] = [];
  const history = { state: 7, replaceState: (...args: unknown[]) => void replaced.push(args) } as unknown as History;
  const location = { hash: "#token=a.b.c", pathname: "/", search: "?x=1" } as Location;
  assert.equal(takeFromAddress(location, history, storage), "a.b.c");
  assert.deepEqual(replaced, [[7, "", "/?x=1"]]);
  assert.equal(keptToken(storage), "a.b.c");
  forgetToken(storage);
  assert.equal(keptToken(storage), "");
  assert.equal(storage.items.size, 0);
});

test("an address without a token is left alone", () => {
  const history = { replaceState: () => assert.fail("touched") } as unknown as History;
  assert.equal(takeFromAddress({ hash: "#server-1", pathname: "/", search: "" } as Location, history, new FakeStorage()), null);
});

test("storage may be closed to the page", () => {
  keepToken(CLOSED, "a.b.c");
  forgetToken(CLOSED);
  assert.equal(keptToken(CLOSED), "");
});
