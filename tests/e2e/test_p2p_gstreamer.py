"""GStreamer's own clients through a real coordinator over TLS: they find each other, negotiate, and hear each other."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.certificates import put_pair
from tests.support.cluster import Cluster
from tests.support.gst import NEEDS, GstPeers, gst_peers

pytestmark = [pytest.mark.needs(*NEEDS), pytest.mark.timeout(150)]


@contextlib.asynccontextmanager
async def peers_at(folder: Path, port: str = "gstreamer_port", path: str = "") -> AsyncIterator[GstPeers]:
    """Peers of a coordinator of the protocol, dialing one of its ports."""
    put_pair(folder)
    made = Cluster(folder, auth=True)
    options = {"p2p": "gstreamer", "p2p_ports": "true", "gstreamer_port": "0", "apprtc_port": "0", "collider_port": "0"}
    files = {"tls_cert": str(folder / "cert.pem"), "tls_key": str(folder / "key.pem")}
    made.coordinator = made.server("coordinator", **options, **files)
    try:
        made.coordinator.spawn()
        await made.coordinator.ready()
        ports = json.loads(made.coordinator.ready_file.read_text())
        url = f"wss://localhost:{ports[port]}/{path}?access_token={made.token()}"
        async with gst_peers(folder, url, folder / "cert.pem") as peers:
            yield peers
    finally:
        made.end()


async def test_a_call_of_two(tmp_path: Path) -> None:
    async with peers_at(tmp_path) as peers:
        bob = await peers.start("bob")
        ann = await peers.start("ann", "--call", "bob")
        await ann.says("SESSION_OK")
        await ann.hears("partner")
        await bob.hears("partner")
        assert ann.candidates
        assert all(" 127.0.0.1 " in candidate for candidate in ann.candidates + bob.candidates)
        assert bob.heard[0] == "HELLO"
        assert json.loads(bob.heard[1])["sdp"]["type"] == "offer"  # nothing before it tells of the call
        # Media goes on without anyone else's help; the end of one is the end of the other's socket.
        await ann.hears("partner")
        await bob.end()
        await ann.is_closed(1000)
        again = await peers.start("bob")
        await peers.start("eve", "--call", "bob")
        await again.hears("partner")


async def test_a_call_in_which_the_one_who_is_called_offers(tmp_path: Path) -> None:
    async with peers_at(tmp_path, "port", "gstreamer") as peers:
        bob = await peers.start("bob")
        ann = await peers.start("ann", "--call", "bob", "--ask")
        await bob.says("OFFER_REQUEST")
        await ann.hears("partner")
        await bob.hears("partner")
        assert json.loads(ann.heard[2])["sdp"]["type"] == "offer"


async def test_a_room_of_three(tmp_path: Path) -> None:
    async with peers_at(tmp_path) as peers:
        ann = await peers.start("ann", "--room", "hall")
        await ann.says("ROOM_OK ")
        bob = await peers.start("bob", "--room", "hall")
        await bob.says("ROOM_OK ann")
        eve = await peers.start("eve", "--room", "hall")
        await eve.says("ROOM_OK ann bob")
        await ann.hears("bob", "eve")
        await bob.hears("ann", "eve")
        await eve.hears("ann", "bob")
        await ann.end()
        for peer in (bob, eve):
            await peer.says("ROOM_PEER_LEFT ann")
        await bob.hears("eve")
        await eve.hears("bob")
