"""NextRTC members without sockets: what each sends goes into one core, and what the core sends is kept for each as it came."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coordinator.core.store import Store
from coordinator.p2p.core.limits import Limits
from coordinator.p2p.core.nextrtc import DEFAULTS, NextRtc, NextRtcConfig
from coordinator.p2p.core.nextrtc_signals import SAMPLES, CustomSignal
from coordinator.p2p.core.outputs import Close, Send

SDP = 'v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=it\'s <me> & "you"\r\n'
"""With everything in it that is escaped elsewhere."""
CANDIDATE = '{"candidate":"candidate:1 1 udp 2122 192.0.2.1 5000 typ host","sdpMid":"0","sdpMLineIndex":0}'


def message(signal: str, to: str = "", content: str = "", custom: Mapping[str, str] | None = None, sender: str = "") -> str:
    """A frame of the server, spelled out here once more."""
    values = {"from": sender, "to": to, "signal": signal, "content": content, "custom": dict(custom or {})}
    return json.dumps(values, separators=(",", ":"))


def error(to: str, code: str, reason: str = "") -> str:
    """The frame that says no."""
    custom = {"stackTrace": f"SignalingException - {code}", **({"reason": reason} if reason else {})}
    return message("error", to, code, custom)


@dataclass(eq=False)
class FakeMember:
    """One socket."""

    world: NextRtcWorld
    key: int
    account: Store
    """Of its address."""
    frames: list[str] = field(default_factory=list)
    """All that came, but for pings."""
    pings: list[float] = field(default_factory=list)
    """When they came."""
    closed: tuple[int, str] | None = None
    _id: str = ""

    @property
    def id(self) -> str:
        """Known from the first message; before that it has to be waited for, as a client has to."""
        if not self._id:
            self.world.advance(DEFAULTS.first_ping_s)
        assert self._id
        return self._id

    def says(self, signal: str, **values: Any) -> None:
        """Send a message of these keys only."""
        self.world.receive(self, json.dumps({"signal": signal, **values}))

    def leaves(self) -> None:
        """The socket closes."""
        self.world.core.left(self.key, self.world.now)
        self.world.settle()

    def heard(self) -> list[str]:
        """What came since this was asked last."""
        frames, self.frames = self.frames, []
        return frames

    def take(self, data: str) -> None:
        """A frame came."""
        values = json.loads(data)
        assert list(values) == ["from", "to", "signal", "content", "custom"]
        if values["to"]:
            assert self._id in ("", values["to"]), "its id stays the same"
            self._id = values["to"]
        if values["signal"] == "ping":
            assert data == message("ping", self._id)
            self.pings.append(self.world.now)
        else:
            self.frames.append(data)


class NextRtcWorld:
    """One core, and a clock that is moved by hand."""

    def __init__(
        self,
        config: NextRtcConfig = DEFAULTS,
        signals: Mapping[str, CustomSignal] = SAMPLES,
        *,
        address_bytes: int = 10**9,
        whole_bytes: int = 10**9,
        **limits: int,
    ) -> None:
        """What may be kept of one address, and of all; and what `Limits` has."""
        self.core = NextRtc(Limits(**limits), random.Random(1), config, signals)
        self.now = 1_000.0
        self.kept = Store(whole_bytes)
        """Of all addresses."""
        self._address_bytes = address_bytes
        self._accounts: dict[str, Store] = {}
        self.sockets: dict[int, FakeMember] = {}
        self.sent = 0
        """Frames of all kinds so far."""

    def connect(self, address: str = "192.0.2.1") -> FakeMember:
        """One more socket. It has been told nothing."""
        account = self._accounts.setdefault(address, Store(self._address_bytes, self.kept))
        made = FakeMember(self, len(self.sockets) + 1, account)
        self.sockets[made.key] = made
        self.core.connected(made.key, made.account, self.now)
        self.settle()
        return made

    def members(self, count: int, address: str = "192.0.2.1", **conversation: Any) -> list[FakeMember]:
        """So many, who have joined one conversation and forgotten what they were told."""
        made = [self.connect(address) for _ in range(count)]
        for each in made:
            each.says("join", **conversation)
        for each in made:
            each.heard()
        return made

    def receive(self, member: FakeMember, data: str | bytes) -> None:
        """A frame of any kind."""
        self.core.received(member.key, data, self.now)
        self.settle()

    def advance(self, seconds: float) -> None:
        """Time passes, and each deadline is kept."""
        end = self.now + seconds
        while (deadline := self.core.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.core.tick(self.now)
            self.settle()
            following = self.core.next_deadline()
            assert following is None or following > self.now, "a tick does what is due"
        self.now = end

    def stop(self) -> None:
        """The server goes."""
        self.core.stop(self.now)
        self.settle()

    def settle(self) -> None:
        """Bring everybody what is for them."""
        for output in self.core.outputs():
            socket = self.sockets[output.key]
            assert socket.closed is None, "nothing follows a close"
            match output:
                case Send(data=data):
                    assert isinstance(data, str)
                    self.sent += 1
                    socket.take(data)
                case Close(code=code, reason=reason):
                    socket.closed = (code, reason)
        assert self.core.outputs() == []
