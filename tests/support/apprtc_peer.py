"""A client of AppRTC as anybody would write it from the description of its wire, with aiortc's peer connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack, VideoStreamTrack
from aiortc.sdp import candidate_from_sdp

from tests.support.poll import until


class ApprtcPeer:
    """Joins a room, and offers or answers as it is told there."""

    def __init__(self, http: aiohttp.ClientSession, root: str, room: str, query: str) -> None:
        self.http = http
        self.root = root
        self.room = room
        self.query = query
        self.params: dict[str, Any] = {}
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.frames = {"audio": 0, "video": 0}
        self.byes = 0
        self.socket: aiohttp.ClientWebSocketResponse
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: list[dict[str, Any]] = []
        self.connection.on("track", self._on_track)

    @property
    def is_initiator(self) -> bool:
        """As the room server said."""
        return bool(self.params["is_initiator"] == "true")

    async def join(self) -> None:
        """Come in; what waits there is taken at once."""
        async with self.http.post(f"{self.root}join/{self.room}{self.query}") as response:
            reply = json.loads(await response.text())
        assert reply["result"] == "SUCCESS", reply
        self.params = reply["params"]
        self.socket = await self.http.ws_connect(self.params["wss_url"])
        register = {"cmd": "register", "roomid": self.room, "clientid": self.params["client_id"]}
        await self.socket.send_json(register)
        if self.is_initiator:
            self._add_tracks()
            await self.connection.setLocalDescription(await self.connection.createOffer())
            await self._say(self._own_description())
        for message in self.params["messages"]:
            await self._hear(json.loads(message))
        self._spawn(self._listen())

    async def leave(self) -> None:
        """As AppRTC's own client does."""
        async with self.http.post(f"{self.root}leave/{self.room}/{self.params['client_id']}{self.query}") as response:
            assert response.status == 200
        await self.socket.send_json({"cmd": "send", "msg": json.dumps({"type": "bye"})})
        await self.close()
        async with self.http.delete(f"{self.params['wss_post_url']}/{self.room}/{self.params['client_id']}") as response:
            assert response.status == 200

    async def close(self) -> None:
        """Let go of everything, without a word."""
        await self.socket.close()
        await self.connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def gets(self, count: int, seconds: float = 20.0) -> None:
        """Wait for so many more frames of both kinds."""
        before = dict(self.frames)
        await until(
            lambda: all(self.frames[kind] >= before[kind] + count for kind in before),
            seconds,
            lambda: f"{count} frames of each kind, from {before} to {self.frames}",
        )

    def _add_tracks(self) -> None:
        self.connection.addTrack(AudioStreamTrack())
        self.connection.addTrack(VideoStreamTrack())

    def _own_description(self) -> dict[str, Any]:
        return {"type": self.connection.localDescription.type, "sdp": self.connection.localDescription.sdp}

    async def _say(self, message: dict[str, Any]) -> None:
        text = json.dumps(message)
        if not self.is_initiator:
            await self.socket.send_json({"cmd": "send", "msg": text})
            return
        async with self.http.post(
            f"{self.root}message/{self.room}/{self.params['client_id']}{self.query}", data=text
        ) as response:
            assert json.loads(await response.text())["result"] == "SUCCESS"

    async def _listen(self) -> None:
        async for frame in self.socket:
            told = json.loads(frame.data)
            assert told["error"] == "", told
            await self._hear(json.loads(told["msg"]))

    async def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "bye":
            self.byes += 1
        elif message["type"] == "candidate":
            self._held.append(message)
        else:
            await self.connection.setRemoteDescription(RTCSessionDescription(message["sdp"], message["type"]))
            if message["type"] == "offer":
                self._add_tracks()
                await self.connection.setLocalDescription(await self.connection.createAnswer())
                await self._say(self._own_description())
        if self.connection.remoteDescription is not None:
            for held in self._held:
                candidate = candidate_from_sdp(held["candidate"].removeprefix("candidate:"))
                candidate.sdpMid, candidate.sdpMLineIndex = held["id"], held["label"]
                await self.connection.addIceCandidate(candidate)
            self._held.clear()

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._spawn(self._count(track))

    async def _count(self, track: MediaStreamTrack) -> None:
        while True:
            await track.recv()
            self.frames[track.kind] += 1

    def _spawn(self, work: Any) -> None:
        self._tasks.add(asyncio.create_task(work))


@contextlib.asynccontextmanager
async def apprtc_peer(root: str, room: str, query: str = "") -> AsyncIterator[ApprtcPeer]:
    """One that has joined."""
    async with aiohttp.ClientSession() as http:
        peer = ApprtcPeer(http, root, room, query)
        await peer.join()
        try:
            yield peer
        finally:
            await peer.close()
