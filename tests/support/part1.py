"""A client of the old system, by hand: it speaks only the messages of WIRE Part 1, over plain aiortc and aiohttp.

Nothing of ours is in it but the generated code of the schema; where it takes a shortcut it is one the old client takes too (it
connects to the first server of the list, never sends capabilities, never acknowledges anything).
"""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any, Self

import aiohttp
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp

from protocol.pb import broker_pb2 as pb

OLD_CLIENT_BUFFER = 1_024
"""Bytes the old client reads a data channel message into; at a longer one it stops reading."""
TIMEOUT_S = 20.0


class Part1Client:
    """Joins on entering; then packets lie in `received` as (channel label, bytes)."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url
        self._token = token
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._channels: dict[str, RTCDataChannel] = {}
        self._open = asyncio.Event()
        self.received: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self.alias = 0
        self.servers: list[int] = []
        self.refusals: list[pb.ConnectionRefusedMessage] = []
        self.unknown_signals: list[bytes] = []

    async def __aenter__(self) -> Self:
        self._connection.on("datachannel", self._adopt)
        self._http = aiohttp.ClientSession()
        query = {"access_token": self._token} if self._token else {}
        self._socket = await self._http.ws_connect(f"{self._url}/connect", params=query)
        self._reader = asyncio.create_task(self._read())
        async with asyncio.timeout(TIMEOUT_S):
            await self._open.wait()
        self.send("reliable", pb.AuthMessage(type=pb.AUTH, role=pb.CLIENT, body=self._token.encode()))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        await self._connection.close()
        await self._socket.close()
        await self._http.close()

    def send(self, channel: str, message: Any) -> None:
        """Send one message of the old schema."""
        self._channels[channel].send(message.SerializeToString())

    def subscribe(self, *topics: str, zipped: bool = False) -> None:
        """The whole set, plain or gzipped."""
        text = " ".join(topics).encode()
        kind = pb.GZIP if zipped else pb.PLAIN
        self.send(
            "reliable", pb.SubscriptionMessage(type=pb.SUBSCRIPTION, format=kind, topics=gzip.compress(text) if zipped else text)
        )

    async def packet(self) -> tuple[str, bytes]:
        """The next packet: its channel and its bytes."""
        async with asyncio.timeout(TIMEOUT_S):
            return await self.received.get()

    def _adopt(self, channel: RTCDataChannel) -> None:
        self._channels[channel.label] = channel

        @channel.on("message")
        def message(data: bytes) -> None:
            assert len(data) <= OLD_CLIENT_BUFFER, f"{len(data)} bytes: the old client would have stopped reading"
            self.received.put_nowait((channel.label, data))

        if set(self._channels) == {"reliable", "unreliable"}:
            self._open.set()

    async def _read(self) -> None:
        async for frame in self._socket:
            data = frame.data
            assert len(data) <= 5_000, "the old coordinator and client drop a longer frame"
            kind = pb.CoordinatorMessage.FromString(data).type
            if kind == pb.WELCOME:
                welcome = pb.WelcomeMessage.FromString(data)
                self.alias, self.servers = welcome.alias, list(welcome.available_servers)
                await self._connect()
            elif kind == pb.WEBRTC_OFFER:
                await self._answer(pb.WebRtcMessage.FromString(data))
            elif kind == pb.WEBRTC_ICE_CANDIDATE:
                await self._candidate(pb.WebRtcMessage.FromString(data))
            elif kind == pb.CONNECTION_REFUSED:
                self.refusals.append(pb.ConnectionRefusedMessage.FromString(data))
                self.servers.pop(0)
                await self._connect()
            else:
                self.unknown_signals.append(data)

    async def _connect(self) -> None:
        message = pb.ConnectMessage(type=pb.CONNECT, to_alias=self.servers[0])
        await self._socket.send_bytes(message.SerializeToString())

    async def _answer(self, message: pb.WebRtcMessage) -> None:
        offer = json.loads(message.data)
        await self._connection.setRemoteDescription(RTCSessionDescription(offer["sdp"], offer["type"]))
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        local = self._connection.localDescription
        data = json.dumps({"type": local.type, "sdp": local.sdp}).encode()
        reply = pb.WebRtcMessage(type=pb.WEBRTC_ANSWER, to_alias=message.from_alias, data=data)
        await self._socket.send_bytes(reply.SerializeToString())

    async def _candidate(self, message: pb.WebRtcMessage) -> None:
        init = json.loads(message.data)
        if init.get("candidate"):
            candidate = candidate_from_sdp(init["candidate"].removeprefix("candidate:"))
            candidate.sdpMid = init.get("sdpMid") or "0"
            await self._connection.addIceCandidate(candidate)
