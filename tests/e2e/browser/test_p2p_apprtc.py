"""Two people call each other by AppRTC's endpoints: pages of ours with one another, and with a client that knows only the wire."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.support.apprtc_peer import apprtc_peer
from tests.support.browser import Visitor
from tests.support.call_page import CallPage, in_a_call, open_call
from tests.support.camera import chromium_with_camera
from tests.support.cluster import Cluster, cluster
from tests.support.poll import until

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.needs("chromium"), pytest.mark.timeout(180)]

FAILED_S = 60.0
"""So long a browser may take to give up a peer that is silent: about half of it is usual."""

_ROOMS = (f"room-{number}" for number in itertools.count())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def camera_browser() -> AsyncIterator[Browser]:
    """One with a camera."""
    async with chromium_with_camera() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def rooms() -> AsyncIterator[Cluster]:
    """A coordinator that speaks AppRTC, with authentication on."""
    async with cluster(0, coordinator={"p2p": "apprtc"}) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def people(camera_browser: Browser) -> AsyncIterator[Visitor]:
    """Some who have a camera. Leaving, they say so to servers that are still there."""
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


def query_of(made: Cluster, **more: str) -> str:
    """What a link has that lets one in."""
    return f"?{urlencode({'access_token': made.token('guest'), **more})}"


async def enter(people: Visitor, made: Cluster, room: str) -> CallPage:
    """Open the link of a room, and join."""
    page = await open_call(people, root_of(made), room, query=query_of(made))
    await page.join()
    return page


async def two(people: Visitor, made: Cluster, room: str) -> tuple[CallPage, CallPage]:
    """A call of two pages, the initiator first."""
    first = await enter(people, made, room)
    await first.says("Nobody else is here")
    second = await enter(people, made, room)
    await in_a_call(first, second)
    return first, second


async def test_two_see_and_hear_each_other(people: Visitor, rooms: Cluster, room: str) -> None:
    """One picks a room on the home page, the other opens its link; the token stays in the address."""
    home = await people.visit(f"{root_of(rooms)}{query_of(rooms)}")
    await home.locator("#room").fill(room)
    await home.keyboard.press("Enter")
    first = CallPage(home)
    await first.says("Nobody else is here")
    assert home.url.startswith(f"{root_of(rooms)}r/{room}?access_token=")
    second = await open_call(people, root_of(rooms), room, query=query_of(rooms))
    await second.sees("local")
    assert "Ready to join?" in await second.card()
    await second.join()
    await in_a_call(first, second)
    await first.hears()
    await second.hears()
    assert await first.card() == await second.card() == ""
    assert await first.page.title() == f"{room}: You are in a call."


async def test_a_third_is_told_that_the_room_is_full(people: Visitor, rooms: Cluster, room: str) -> None:
    """By the page, and by the call page for who had it open already; both try again when somebody has left."""
    early = await open_call(people, root_of(rooms), room, query=query_of(rooms))
    await early.says("You are not in the room")
    first, second = await two(people, rooms, room)
    await early.join()
    await early.says("Sorry, this room is full.")
    await early.choose("tryAgain")
    await early.says("Sorry, this room is full.")
    late = await people.visit(f"{root_of(rooms)}r/{room}{query_of(rooms)}")
    assert await late.locator("h1").inner_text() == "Sorry, this room is full."
    assert room in await late.locator("main").inner_text()
    await in_a_call(first, second)

    await second.hang_up()
    await first.says("The other person has left")
    await early.choose("tryAgain")
    await in_a_call(first, early)

    await first.hang_up()
    await late.locator("#again").click()
    await CallPage(late).join()
    await in_a_call(early, CallPage(late))
    await second.choose("joinAgain")
    await second.says("Sorry, this room is full.")


async def test_who_hangs_up_can_come_back(people: Visitor, rooms: Cluster, room: str) -> None:
    """Whether they came first or second, and whether they wait for the other to notice or not."""
    first, second = await two(people, rooms, room)
    for leaves, stays in ((second, first), (first, second), (first, second), (second, first)):
        await leaves.hang_up()
        await stays.says("The other person has left")
        assert not (await stays.picture()).is_live
        await leaves.choose("joinAgain")
        await in_a_call(first, second)
    await first.hang_up()
    await first.choose("joinAgain")
    await in_a_call(first, second)


async def test_a_page_that_goes_away_leaves(people: Visitor, rooms: Cluster, room: str) -> None:
    """By a reload, to another page, or because the tab is closed: the other sees it at once, and the room has a place again."""
    first, second = await two(people, rooms, room)
    await second.page.reload()
    await first.says("The other person has left", 5)
    await second.join()
    await in_a_call(first, second)
    await first.page.goto(f"{root_of(rooms)}{query_of(rooms)}")
    await second.says("The other person has left", 5)
    third = await enter(people, rooms, room)
    await in_a_call(second, third)
    await third.page.close(run_before_unload=True)
    await second.says("The other person has left", 5)
    await in_a_call(second, await enter(people, rooms, room))


async def test_a_browser_that_dies_can_come_back(people: Visitor, rooms: Cluster, room: str) -> None:
    """Nobody says bye; the other notices the silence, and both are in a call again as soon as the dead one is back."""
    async with chromium_with_camera() as dying:
        first = await enter(Visitor(dying), rooms, room)
        second = await enter(people, rooms, room)
        await in_a_call(first, second)
        session = await dying.new_browser_cdp_session()
        crash = asyncio.create_task(session.send("Browser.crash"))
        await until(lambda: not dying.is_connected(), 10, "the browser is dead")
        crash.cancel()
        await asyncio.gather(crash, return_exceptions=True)
    await second.says("interrupted", FAILED_S)
    await second.says("The connection to the other person is lost", FAILED_S)
    again = await enter(people, rooms, room)
    await in_a_call(second, again)


async def test_a_call_outlives_its_servers(people: Visitor, room: str) -> None:
    """The coordinator is killed and started again: the call goes on, and afterwards each can leave and come back."""
    people.complaints.expect(r"/collider/ws|ERR_CONNECTION_REFUSED")
    async with cluster(0, auth=False, coordinator={"p2p": "apprtc"}) as made, people.until_then():
        first, second = await two(people, made, room)
        made.coordinator.kill()
        for page in (first, second):
            await page.page.get_by_text("The server cannot be reached. The call goes on").wait_for()
        await in_a_call(first, second)
        made.coordinator.spawn()
        await made.coordinator.ready()
        for page in (first, second):
            await page.page.locator("#unreachable").wait_for(state="hidden")
        await in_a_call(first, second)
        await second.hang_up()
        await first.says("Nobody else is here")
        await second.choose("joinAgain")
        await in_a_call(first, second)


async def test_a_page_and_a_client_that_knows_only_the_wire(people: Visitor, rooms: Cluster, room: str) -> None:
    """Whoever comes first offers; pictures and sound go both ways; each hears that the other leaves, and the page takes the next."""
    page = await enter(people, rooms, room)
    await page.says("Nobody else is here")
    async with apprtc_peer(root_of(rooms), room, query_of(rooms)) as peer:
        assert not peer.is_initiator
        await in_a_call(page)
        await peer.gets(10)
        await peer.leave()
        await page.says("The other person has left")
    async with apprtc_peer(root_of(rooms), room, query_of(rooms)) as peer:
        await in_a_call(page)
        await peer.gets(10)
        await page.hang_up()
        await until(lambda: peer.byes == 1, 5, "the peer hears a bye")


async def test_a_page_answers_a_client_that_knows_only_the_wire(people: Visitor, rooms: Cluster, room: str) -> None:
    """The other way round: its offer waits in the room."""
    async with apprtc_peer(root_of(rooms), room, query_of(rooms)) as peer:
        assert peer.is_initiator
        page = await enter(people, rooms, room)
        await in_a_call(page)
        await peer.gets(10)
        await page.hang_up()
        await until(lambda: peer.byes == 1, 5, "the peer hears a bye")


async def test_a_loopback_call(people: Visitor, rooms: Cluster, room: str) -> None:
    """To try out camera and network by oneself: one sees oneself twice."""
    page = await open_call(people, root_of(rooms), room, query=query_of(rooms, debug="loopback"))
    await page.join()
    await in_a_call(page)
    await page.hears()
    await page.hang_up()


CALL_ONESELF = """async (room) => {
    const told = globalThis.loadingParams;
    const answer = await (await fetch(`join/${room}${location.search}`, { method: "POST" })).json();
    const params = answer.params;
    const [, src] = params.include_loopback_js.match(/^<script src="([^"]+)"><[/]script>$/);
    await new Promise((resolve, reject) => {
        const script = Object.assign(document.createElement("script"), { src, onload: resolve, onerror: reject });
        document.head.append(script);
    });
    setupLoopback(told.wssUrl, room);
    const connection = new RTCPeerConnection(told.peerConnectionConfig);
    connection.addTransceiver("audio");
    const socket = new WebSocket(told.wssUrl);
    await new Promise((resolve) => { socket.onopen = resolve; });
    socket.send(JSON.stringify({ cmd: "register", roomid: room, clientid: params.client_id }));
    const post = (message) => fetch(`message/${room}/${params.client_id}${location.search}`, { method: "POST", body: JSON.stringify(message) });
    connection.onicecandidate = ({ candidate: found }) => {
        if (found?.candidate) post({ type: "candidate", label: found.sdpMLineIndex, id: found.sdpMid, candidate: found.candidate });
    };
    await connection.setLocalDescription(await connection.createOffer());
    socket.onmessage = async ({ data }) => {
        const said = JSON.parse(JSON.parse(data).msg);
        if (said.type === "answer") await connection.setRemoteDescription(said);
        else await connection.addIceCandidate({ candidate: said.candidate, sdpMLineIndex: said.label, sdpMid: said.id });
    };
    await post({ type: "offer", sdp: connection.localDescription.sdp });
    await new Promise((resolve) => {
        connection.onconnectionstatechange = () => { if (connection.connectionState === "connected") resolve(); };
    });
    const direction = connection.getTransceivers()[0].currentDirection;
    connection.close();
    socket.close();
    setupLoopback(told.wssUrl, `${room}-else`);
    return [told.isLoopback, "roomId" in told, direction];
}"""
"""A page as AppRTC's own, which has of the server what it is told: `loadingParams`, and the script to include."""


async def test_a_loopback_call_of_a_page_that_is_none_of_ours(people: Visitor, rooms: Cluster, room: str) -> None:
    """Its other person is the script that it was told to include."""
    page = await people.visit(f"{root_of(rooms)}{query_of(rooms, debug='loopback')}")
    found = await asyncio.wait_for(page.evaluate(CALL_ONESELF, room), 30)
    assert found == [True, False, "sendrecv"]


async def test_wishes_of_the_link(people: Visitor, rooms: Cluster, room: str) -> None:
    """Without a picture; in high definition; with something to tell."""
    silent = await open_call(people, root_of(rooms), room, query=query_of(rooms, video="false", minre="640"))
    assert "no longer supported" in await silent.page.locator("#notices").inner_text()
    await silent.join()
    sharp = await open_call(people, root_of(rooms), room, query=query_of(rooms, hd="true"))
    await sharp.join()
    await silent.says("You are in a call")
    await silent.sees()
    assert (await sharp.picture("local")).width == 1280
    await sharp.page.get_by_text("The other person sends no picture.").wait_for()
    await sharp.hears()


async def test_nobody_comes_in_without_a_token(people: Visitor, rooms: Cluster, room: str) -> None:
    """There is not even a page."""
    people.complaints.expect("status 401|status of 401|favicon.ico")
    page = await people.page()
    response = await page.goto(f"{root_of(rooms)}r/{room}")
    assert response is not None
    assert response.status == 401


async def test_a_token_that_ends_while_the_page_is_open(people: Visitor, room: str) -> None:
    """The join is refused, and the page says why."""
    people.complaints.expect("status 401|status of 401")
    async with cluster(0, coordinator={"p2p": "apprtc", "auth_leeway": "0"}) as made, people.until_then():
        query = f"?{urlencode({'access_token': made.token('guest', lifetime_s=5)})}"
        call = await open_call(people, root_of(made), room, query=query)
        await call.says("You are not in the room")

        async def is_over() -> bool:
            return (await made.coordinator.page(f"/apprtc/params{query}"))[0] == 401

        await until(is_over, 10, "the token has ended", interval=0.1)
        await call.join()
        await call.says("You may not come in")
        assert "expired" in await call.card()
