"""A browser does not tell a page the addresses of its machine but names it invents: a comm server does without both."""

from __future__ import annotations

import pytest

from tests.support.app_page import open_app
from tests.support.browser import Visitor
from tests.support.cluster import Cluster
from tests.support.site import Site

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium")]

HIDE = """
// As Chromium does it for people: the address of a candidate is a random name that only the local network could resolve.
const names = new Map();
const nameOf = (address) => {
    if (!names.has(address)) names.set(address, `${crypto.randomUUID()}.local`);
    return names.get(address);
};
const hide = (line) => line.replace(/^(a=)?(candidate:\\S+ \\d+ \\S+ \\d+ )(\\S+)/, (_, a, start, address) => (a ?? "") + start + nameOf(address));
window.hidden = [];
const find = (object, name) => Object.getOwnPropertyDescriptor(object, name);
for (const name of ["candidate", "address"]) {
    const own = find(RTCIceCandidate.prototype, name);
    Object.defineProperty(RTCIceCandidate.prototype, name, { get() {
        const value = own.get.call(this);
        if (!value) return value;
        const shown = name === "address" ? nameOf(value) : hide(value);
        window.hidden.push(shown);
        return shown;
    } });
}
RTCIceCandidate.prototype.toJSON = function () {
    const { candidate, sdpMid, sdpMLineIndex, usernameFragment } = this;
    return { candidate, sdpMid, sdpMLineIndex, usernameFragment };
};
const sdp = find(RTCSessionDescription.prototype, "sdp");
Object.defineProperty(RTCSessionDescription.prototype, "sdp", {
    get() { return sdp.get.call(this).split("\\r\\n").map(hide).join("\\r\\n"); },
});
"""


async def test_a_page_joins_by_names_that_nobody_can_resolve(visitor: Visitor, other_site: Site, shared: Cluster) -> None:
    """All candidates that the server gets are `.local`; it answers to where the checks come from."""
    context = await visitor.context(script=HIDE)
    page = await open_app(visitor, other_site, shared, context=context)
    assert (await page.connect(shared.token("page"))).state == "connected"
    shown = await page.page.evaluate("() => window.hidden")
    candidates = [line for line in shown if line.startswith("candidate:")]
    assert candidates
    assert all(line.split()[4].endswith(".local") for line in candidates)
    await page.subscribe("hidden")
    assert 0 < await page.call("ping") < 5
