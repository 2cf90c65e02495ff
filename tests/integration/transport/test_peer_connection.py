"""Our ends against aiortc's whole RTCPeerConnection, which stands for clients and servers that are not ours."""

from __future__ import annotations

from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from protocol.signalling import END_OF_CANDIDATES, CandidateInit
from tests.support.poll import until
from tests.support.rtc import Recorder, answer_with_aiortc
from tests.support.turn import mini_turn
from transport import Dialer, LinkEnd, Listener
from transport.options import LinkOptions
from transport.sdp import parse_offer

NUMBERS = [b"%d" % number for number in range(500)]


class Channels:
    """The two channels of a peer connection, and what came by them."""

    def __init__(self) -> None:
        self.by_label: dict[str, RTCDataChannel] = {}
        self.messages: dict[str, list[Any]] = {"reliable": [], "unreliable": []}

    def take(self, channel: RTCDataChannel) -> None:
        self.by_label[channel.label] = channel
        channel.on("message", self.messages[channel.label].append)

    @property
    def are_open(self) -> bool:
        return [c.readyState for c in self.by_label.values()] == ["open", "open"]


def offering() -> tuple[RTCPeerConnection, Channels]:
    """A peer connection as an old server makes it."""
    connection, channels = RTCPeerConnection(RTCConfiguration(iceServers=[])), Channels()
    channels.take(connection.createDataChannel("reliable"))
    channels.take(connection.createDataChannel("unreliable", ordered=False, maxRetransmits=0))
    return connection, channels


async def offer_of(connection: RTCPeerConnection) -> str:
    await connection.setLocalDescription(await connection.createOffer())
    return str(connection.localDescription.sdp)


async def exchange(ours: Any, handler: Recorder, channels: Channels) -> None:
    """Both channels, both ways, in order."""
    for number in NUMBERS:
        ours.send(number, reliable=True)
        channels.by_label["reliable"].send(number)
    ours.send(b"u", reliable=False)
    channels.by_label["unreliable"].send(b"u")
    ours.send(bytes(60_000), reliable=True)
    channels.by_label["reliable"].send("text")
    await handler.has(len(NUMBERS) + 2)
    await until(lambda: len(channels.messages["reliable"]) == len(NUMBERS) + 1, 20, "not all came")
    assert handler.bodies(reliable=True) == [*NUMBERS, b"text"]
    assert handler.bodies(reliable=False) == [b"u"]
    assert channels.messages["reliable"] == [*NUMBERS, bytes(60_000)]
    await until(lambda: channels.messages["unreliable"] == [b"u"], 5, "the unreliable message did not come")


@pytest.mark.parametrize("ends", ["ours", "theirs"])
async def test_a_peer_connection_answers_our_listener(fast: bool, ends: str) -> None:
    listener = await Listener.open(bind=["127.0.0.1"], fast=fast)
    a, channels = Recorder(), Channels()
    link = listener.offer(a)
    connection, answer = await answer_with_aiortc(link.local_sdp)
    connection.on("datachannel", channels.take)
    link.accept(answer)
    await a.is_open()
    await until(lambda: channels.are_open, 10, "their channels do not open")
    unreliable = channels.by_label["unreliable"]
    assert (unreliable.ordered, unreliable.maxRetransmits) == (False, 0)
    assert channels.by_label["reliable"].ordered
    await exchange(link, a, channels)
    if ends == "ours":
        link.close()
        await until(lambda: unreliable.readyState == "closed", 5, "they do not hear of the end")
    await connection.close()
    assert await a.has_ended() is (LinkEnd.LOCAL if ends == "ours" else LinkEnd.REMOTE)
    await listener.close()


@pytest.mark.parametrize("ends", ["ours", "theirs"])
async def test_our_dialer_answers_a_peer_connection(fast: bool, ends: str) -> None:
    connection, channels = offering()
    dialer, b = Dialer(fast=fast), Recorder()
    link = await dialer.answer(await offer_of(connection), b)
    await connection.setRemoteDescription(RTCSessionDescription(link.local_sdp, "answer"))
    await b.is_open()
    await until(lambda: channels.are_open, 10, "their channels do not open")
    await exchange(link, b, channels)
    if ends == "ours":
        link.close()
        await until(lambda: not channels.are_open, 5, "they do not hear of the end")
    await connection.close()
    assert await b.has_ended() is (LinkEnd.LOCAL if ends == "ours" else LinkEnd.REMOTE)
    await dialer.close()


async def test_our_dialer_reaches_a_peer_connection_by_a_relay(fast: bool) -> None:
    connection, channels = offering()
    async with mini_turn() as turn:
        options = LinkOptions(fast=fast, ice_transport_policy="relay")
        dialer, b = Dialer(ice_servers=[turn.server()], options=options), Recorder()
        link = await dialer.answer(await offer_of(connection), b)
        await connection.setRemoteDescription(RTCSessionDescription(link.local_sdp, "answer"))
        await b.is_open()
        await until(lambda: channels.are_open, 10, "their channels do not open")
        await exchange(link, b, channels)
        assert turn.relayed > len(NUMBERS)
        await connection.close()
        await dialer.close()


@pytest.mark.parametrize("order", ["candidates first", "candidates last", "one after the end"])
async def test_trickled_candidates_of_a_peer_connection(fast: bool, order: str) -> None:
    connection, channels = offering()
    whole = await offer_of(connection)
    bare = "".join(line for line in whole.splitlines(keepends=True) if "candidate" not in line)
    inits = [CandidateInit(str(candidate), "", None) for candidate in parse_offer(whole).candidates]
    dialer, b = Dialer(fast=fast), Recorder()
    told: list[CandidateInit] = []
    link = await dialer.answer(bare, b, told.append)
    if order != "candidates last":
        for init in (*inits, END_OF_CANDIDATES):
            link.add_candidate(init)
    # aiortc takes no trickled candidates before the answer, so ours are put into it.
    await until(lambda: told and told[-1] == END_OF_CANDIDATES, 5, "no end of candidates")
    own = "".join(f"a={init.candidate}\r\n" for init in told[:-1]) + "a=end-of-candidates\r\n"
    await connection.setRemoteDescription(RTCSessionDescription(link.local_sdp + own, "answer"))
    if order == "candidates last":
        for init in inits:
            link.add_candidate(init)
        link.add_candidate(None)
    if order == "one after the end":
        link.add_candidate(CandidateInit("candidate:1 1 udp 5 127.0.0.1 9 typ host"))
    await b.is_open()
    await until(lambda: channels.are_open, 10, "their channels do not open")
    await exchange(link, b, channels)
    await connection.close()
    await dialer.close()
