"""AppRTC's home page and call page by themselves: cameras that cannot be had, buttons, keyboard, looks, and their policy."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Response

from tests.support.browser import NARROW, SMALL, WIDE, Visitor, chromium, cut, overflow
from tests.support.call_page import AUDIBLE, CallPage, in_a_call, open_call
from tests.support.camera import chromium_with_camera
from tests.support.cluster import Cluster, cluster
from tests.support.poll import until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium"), pytest.mark.timeout(120)]

LANDSCAPE = (844, 390)
LOOKS = [
    pytest.param(dark, size, id=f"{'dark' if dark else 'light'}-{size[0]}")
    for dark in (False, True)
    for size in (WIDE, NARROW, LANDSCAPE, SMALL)
]
MOST_STOPS = 40

_ROOMS = (f"place-{number}" for number in itertools.count())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def camera_browser() -> AsyncIterator[Browser]:
    """One with a camera."""
    async with chromium_with_camera() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def root() -> AsyncIterator[str]:
    """The home page's address, at a coordinator without authentication."""
    async with cluster(0, auth=False, coordinator={"p2p": "apprtc"}) as made:
        yield root_of(made)


@pytest_asyncio.fixture(loop_scope="session")
async def people(camera_browser: Browser) -> AsyncIterator[Visitor]:
    """Some who have a camera."""
    made = Visitor(camera_browser)
    yield made
    await made.leave()
    assert made.complaints.unexpected() == []


@pytest.fixture
def room() -> str:
    """One that nobody was in before."""
    return next(_ROOMS)


def root_of(made: Cluster) -> str:
    """The address of the home page."""
    return f"http://127.0.0.1:{made.coordinator.port}/apprtc/"


# ------------------------------------------------------------------------------------------------- camera and microphone

REFUSES = """
navigator.mediaDevices.getUserMedia = async ({ video }) => {
    throw new DOMException("Could not start video source", "%s");
};
"""
INSECURE = "Object.defineProperty(Navigator.prototype, 'mediaDevices', { value: undefined });"


async def test_a_person_who_says_no_is_told_what_to_do(people: Visitor, root: str, room: str) -> None:
    """Nothing is joined before; whoever changes their mind is asked again; whoever does not can watch and listen."""
    async with chromium("--use-fake-device-for-media-stream") as asking:
        unwilling = Visitor(asking)
        context = await unwilling.context()
        page = await open_call(unwilling, root, room, context=context)
        await page.says("Your camera and microphone are blocked")
        assert "Allow them for this page" in await page.card()
        await page.choose("askAgain")
        await page.says("Your camera and microphone are blocked")
        await context.grant_permissions(["camera", "microphone"])
        await page.choose("askAgain")
        await page.says("You are not in the room")

        other = await open_call(unwilling, root, room)
        await other.says("blocked")
        await other.choose("withoutBoth")
        await other.says("Nobody else is here")
        assert not await other.page.locator("#mic").is_visible()
        willing = await open_call(people, root, room)
        await willing.join()
        await other.says("You are in a call")
        await other.sees()
        await other.hears()
        await willing.page.get_by_text("The other person sends no picture.").wait_for()
        await other.hang_up()
        await unwilling.leave()
        assert unwilling.complaints.unexpected() == []


async def test_without_devices_one_can_watch(visitor: Visitor, people: Visitor, root: str, room: str) -> None:
    """This browser has neither camera nor microphone."""
    first = await open_call(people, root, room)
    await first.join()
    page = await open_call(visitor, root, room)
    await page.says("No camera and no microphone were found")
    await page.choose("withoutBoth")
    await page.says("You are in a call")
    await page.sees()
    await first.says("You are in a call")


@pytest.mark.parametrize(
    ("script", "words", "advice"),
    [
        (REFUSES % "NotReadableError", "is in use", "Close that and try again"),
        (REFUSES % "OverconstrainedError", "cannot do what the link asks for", "none of your devices"),
        (REFUSES % "OddError", "did not start", "OddError: Could not start video source"),
        (INSECURE, "This page is not secure", "https"),
    ],
    ids=["busy", "unsuitable", "other", "insecure"],
)
async def test_every_trouble_has_its_words(people: Visitor, root: str, script: str, words: str, advice: str) -> None:
    """As the browser names them."""
    page = await open_call(people, root, next(_ROOMS), context=await people.context(script=script))
    await page.says(words)
    assert advice in await page.card()


async def test_with_the_microphone_alone(people: Visitor, root: str, room: str) -> None:
    """Where only the camera is in use."""
    script = """
        const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (wanted) => {
            if (wanted.video) throw new DOMException("", "NotReadableError");
            return ask(wanted);
        };
    """
    page = await open_call(people, root, room, context=await people.context(script=script))
    await page.says("Your camera or microphone is in use")
    await page.choose("withoutCamera")
    await page.says("Nobody else is here")
    assert await page.page.locator("#mic").is_visible()
    assert not await page.page.locator("#camera").is_visible()
    other = await open_call(people, root, room)
    await other.join()
    await page.says("You are in a call")
    await page.sees()
    await other.hears()


# ---------------------------------------------------------------------------------------------------------------- buttons


async def enabled(page: CallPage, kind: str) -> bool:
    """Whether what is sent of this kind is more than silence or blackness."""
    found: bool = await page.page.evaluate(
        "(kind) => document.getElementById('local').srcObject.getTracks().find((track) => track.kind === kind).enabled", kind
    )
    return found


async def brightness(page: CallPage) -> float:
    """Of the other person's picture, 0 to 255."""
    found: float = await page.page.evaluate(
        """() => {
            const canvas = document.createElement("canvas").getContext("2d");
            canvas.drawImage(document.getElementById("remote"), 0, 0, 8, 8);
            const { data } = canvas.getImageData(0, 0, 8, 8);
            return data.reduce((sum, value, index) => sum + (index % 4 === 3 ? 0 : value), 0) / (64 * 3);
        }"""
    )
    return found


async def test_microphone_and_camera_can_be_switched_off(people: Visitor, root: str, room: str) -> None:
    """Before and in the call: the other hears silence and sees nothing."""
    first, second = await open_call(people, root, room), await open_call(people, root, room)
    for page in (first, second):
        await page.says("You are not in the room")
    await first.page.get_by_role("button", name="Mute").click()
    for page in (first, second):
        await page.join()
    await in_a_call(first, second)
    assert not await enabled(first, "audio")
    assert await second.loudness() < AUDIBLE / 2
    await first.page.get_by_role("button", name="Unmute").click()
    await second.hears()

    await first.page.get_by_role("button", name="Camera off").click()
    await first.page.get_by_text("Your camera is off").wait_for()
    await until(lambda: is_dark(second), 10, "the other sees nothing", interval=0.1)
    await first.page.get_by_role("button", name="Camera on").click()
    await until(lambda: is_bright(second), 10, "the other sees something", interval=0.1)
    assert await enabled(first, "audio")


async def is_dark(page: CallPage) -> bool:
    """Black is a little more than 0 after compression."""
    return await brightness(page) < 10


async def is_bright(page: CallPage) -> bool:
    """The invented camera is green."""
    return await brightness(page) > 30


async def test_camera_and_microphone_are_let_go_of(people: Visitor, root: str, room: str) -> None:
    """Nobody is filmed who has left."""
    page = await open_call(people, root, room)
    await page.sees("local")
    await page.page.evaluate("() => { window.kept = document.getElementById('local').srcObject.getTracks(); }")
    await page.join()
    await page.says("Nobody else is here")
    await page.hang_up()
    assert await page.page.evaluate("() => kept.map((track) => track.readyState)") == ["ended", "ended"]
    assert await page.page.evaluate("() => document.getElementById('local').srcObject") is None


async def test_the_link_is_copied_without_the_token(people: Visitor, root: str, room: str) -> None:
    """Which is one's own; where the browser does not let the page copy, the link is there to be copied."""
    context = await people.context()
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = await open_call(people, root, room, query="?hd=true&access_token=secret", context=context)
    await page.says("You are not in the room")
    await page.page.locator("#copy").click()
    await page.page.get_by_text("copied without your token").wait_for()
    assert await page.page.evaluate("() => navigator.clipboard.readText()") == f"{root}r/{room}?hd=true"
    await page.page.evaluate("() => { navigator.clipboard.writeText = async () => { throw new Error('no'); }; }")
    await page.page.locator("#copy").click()
    assert await page.page.evaluate("() => document.activeElement.value") == f"{root}r/{room}?hd=true"
    assert await page.page.evaluate("() => getSelection().toString()") == f"{root}r/{room}?hd=true"


async def test_full_screen(people: Visitor, root: str, room: str) -> None:
    """With all buttons still there; hanging up leaves it."""
    page = await open_call(people, root, room)
    await page.join()
    await page.page.get_by_role("button", name="Full screen", exact=True).click()
    await page.page.get_by_role("button", name="Leave full screen").wait_for()
    assert await page.page.evaluate("() => document.fullscreenElement === document.documentElement")
    await page.hang_up()
    await until(lambda: is_small(page), 5, "it is no full screen any more", interval=0.03)


async def is_small(page: CallPage) -> bool:
    """Whether nothing fills the screen."""
    return bool(await page.page.evaluate("() => document.fullscreenElement === null"))


# -------------------------------------------------------------------------------------------------------------- home page


async def test_the_home_page_knows_rooms(people: Visitor, root: str) -> None:
    """It invents a name, refuses one that is too short, and remembers where one was."""
    context = await people.context()
    home = await people.visit(f"{root}?hd=false", context=context)
    invented = await home.locator("#room").input_value()
    await home.locator("#another").click()
    assert await home.locator("#room").input_value() != invented
    for bad, words in (("abcd", "at least 5"), ("no spaces", "Only letters"), ("", "Give the room a name")):
        await home.locator("#room").fill(bad)
        await home.keyboard.press("Enter")
        assert words in await home.locator("#problem").inner_text()
        assert await home.locator("#room").get_attribute("aria-invalid") == "true"
    assert not await home.locator("#recent").is_visible()
    names = [next(_ROOMS), next(_ROOMS)]
    for name in names:
        await home.locator("#room").fill(name)
        await home.locator("button[type=submit]").click()
        page = CallPage(home)
        await page.says("Nobody else is here")
        await page.hang_up()
        await page.choose("home")
        await home.locator("#rooms").wait_for()
        assert home.url == f"{root}?hd=false"
    assert await home.locator("#rooms a").all_inner_texts() == names[::-1]
    await home.get_by_role("button", name=f"Forget {names[1]}").click()
    await home.reload()
    assert await home.locator("#rooms a").all_inner_texts() == names[:1]
    await home.locator("#rooms a").click()
    await CallPage(home).says("You are not in the room")
    assert home.url == f"{root}r/{names[0]}?hd=false"


# ------------------------------------------------------------------------------------------------------ policy and looks

POLICY = {
    "default-src": {"'none'"},
    "script-src": {"'self'"},
    "style-src": {"'self'"},
    "img-src": {"'self'", "data:"},
    "manifest-src": {"'self'"},
    "base-uri": {"'none'"},
    "form-action": {"'none'"},
    "frame-ancestors": {"'none'"},
}
MEDIA = {"media-src": {"blob:", "mediastream:"}}


@pytest.mark.parametrize("path", ["", "r/some-place"])
async def test_pages_and_all_they_load_carry_their_policy(people: Visitor, root: str, path: str) -> None:
    """Of one origin; and the one script inside a page, which gives it its parameters, is named by its hash."""
    page = await people.page()
    loaded: list[Response] = []
    page.on("response", lambda response: loaded.append(response))
    await page.goto(f"{root}{path}", wait_until="load")
    assert {"document", "script", "stylesheet"} <= {response.request.resource_type for response in loaded}
    for response in loaded:
        assert response.url.startswith(root)
        headers = await response.all_headers()
        is_page = response.request.resource_type == "document"
        directives = (directive.split() for directive in headers["content-security-policy"].split(";"))
        policy = {name: set(values) for name, *values in directives}
        assert "'self'" in policy.pop("connect-src")
        allowed = policy["script-src"] - {"'self'"}
        assert len(allowed) == is_page
        assert all(re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", script) for script in allowed)
        policy["script-src"] -= allowed
        assert policy == (POLICY | MEDIA if is_page else POLICY), response.url
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == ("no-store" if is_page else "no-cache")
        assert ("permissions-policy" in headers) is is_page
    assert await page.evaluate("loadingParams.wssUrl.startsWith('ws')")


async def fits(page: Page, dark: bool, *, scrolls: bool = False) -> None:
    """Not wider than its window, nor higher where everything is to be seen at once; and of the theme that was asked for."""
    assert await overflow(page) <= 0
    assert await cut(page) == []
    if not scrolls:
        assert await page.evaluate("() => document.scrollingElement.scrollHeight <= innerHeight")
    shade = await page.evaluate(
        "() => getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g).reduce((sum, part) => sum + Number(part), 0) / 3"
    )
    assert (shade < 80) is dark


async def stays_inside(page: Page, selector: str) -> None:
    """Whether what matters most is not cut off."""
    box = await page.locator(selector).bounding_box()
    size = page.viewport_size
    assert box is not None
    assert size is not None
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert box["x"] + box["width"] <= size["width"]
    assert box["y"] + box["height"] <= size["height"]


@pytest.mark.parametrize(("dark", "size"), LOOKS)
async def test_everything_fits(people: Visitor, root: str, dark: bool, size: tuple[int, int]) -> None:
    """Home page, before the call, alone, in the call, and after it."""
    room = next(_ROOMS)
    context = await people.context(dark=dark, size=size, touch=size == NARROW)
    home = await people.visit(root, context=context)
    await fits(home, dark, scrolls=True)
    page = await open_call(people, root, room, context=context)
    await page.sees("local")
    await fits(page.page, dark)
    await stays_inside(page.page, '[data-choice="join"]')
    await page.join()
    await page.says("Nobody else is here")
    await fits(page.page, dark)
    await stays_inside(page.page, '[data-choice="copyLink"]')
    second = await open_call(people, root, room)
    await second.join()
    await in_a_call(page)
    await fits(page.page, dark)
    for control in ("#hang-up", "#mic", "#camera", "#self"):
        await stays_inside(page.page, control)
    full = await people.visit(f"{root}r/{room}", context=context)
    await fits(full, dark, scrolls=True)
    await page.hang_up()
    await fits(page.page, dark)
    await stays_inside(page.page, '[data-choice="joinAgain"]')


FOCUS = """() => {
    const element = document.activeElement;
    if (element === document.body) return null;
    const looks = () => { const { outlineStyle, outlineWidth } = getComputedStyle(element); return outlineStyle + outlineWidth; };
    const focused = looks();
    element.blur();
    const marked = looks() !== focused;
    element.focus({ preventScroll: true });
    const box = element.getBoundingClientRect();
    const name = element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent ?? element.textContent.trim();
    const number = [...document.querySelectorAll("*")].indexOf(element);
    return { number, id: element.id || element.dataset.choice || element.tagName, name, marked, seen: box.width > 0 && box.bottom > 0 };
}"""


async def stops(page: Page) -> list[str]:
    """What the tabulator reaches, in order; each has a name, can be seen, and is marked."""
    found: list[dict[str, Any]] = []
    # From the top, wherever it was.
    await page.evaluate(
        "() => { document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex'); }"
    )
    for _ in range(MOST_STOPS):
        await page.keyboard.press("Tab")
        stop = await page.evaluate(FOCUS)
        # Past the last comes the browser itself, or the first again.
        if stop is None or (found and stop["number"] == found[0]["number"]):
            break
        found.append(stop)
    else:
        raise AssertionError(f"the end is never reached: {found}")
    for quality in ("name", "marked", "seen"):
        assert [stop for stop in found if not stop[quality]] == [], quality
    return [stop["id"] for stop in found]


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_the_keyboard_reaches_everything(people: Visitor, root: str, room: str, size: tuple[int, int]) -> None:
    """Without a mouse from the home page into a call and out of it; the keyboard is never lost on the way."""
    page = await people.visit(root, context=await people.context(size=size))
    assert await stops(page) == ["room", "BUTTON", "another"]
    await page.goto(f"{root}r/{room}")
    call = CallPage(page)
    await call.says("You are not in the room")
    assert await stops(page) == ["home", "copy", "join", "mic", "camera"]
    await page.locator('[data-choice="join"]').focus()
    await page.keyboard.press("Enter")
    await call.says("Nobody else is here")
    assert await page.evaluate("() => document.activeElement.id") == "card-title"
    assert await stops(page) == ["home", "copy", "copyLink", "mic", "camera", "full", "hang-up"]
    await page.locator('[data-choice="copyLink"]').focus()
    other = await open_call(people, root, room)
    await other.join()
    await in_a_call(call)
    assert await page.evaluate("() => document.activeElement.id") == "stage"
    assert await stops(page) == ["home", "copy", "mic", "camera", "full", "hang-up"]
    await page.locator("#hang-up").focus()
    await page.keyboard.press("Space")
    await call.says("You have left")
    assert await page.evaluate("() => document.activeElement.id") == "card-title"
    assert await stops(page) == ["home", "copy", "joinAgain", "home"]


async def test_the_state_is_read_aloud(people: Visitor, root: str, room: str) -> None:
    """By one region, in words, and once for each change."""
    page = await open_call(people, root, room)
    await page.says("You are not in the room")
    assert await page.page.locator("#status").get_attribute("role") == "status"
    await page.page.evaluate(
        """() => {
            window.heard = [];
            new MutationObserver(() => heard.push(document.getElementById("status").textContent.trim()))
                .observe(document.getElementById("status"), { childList: true, characterData: true, subtree: true });
        }"""
    )
    await page.join()
    await page.says("Nobody else is here")
    second = await open_call(people, root, room)
    await second.join()
    await in_a_call(page)
    await second.hang_up()
    await page.says("The other person has left")
    assert await page.page.evaluate("() => heard") == [
        "Joining the room …",
        "Nobody else is here yet.",
        "The other person is here. Connecting …",
        "You are in a call.",
        "The other person has left.",
    ]
