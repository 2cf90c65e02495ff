"""The socket to the coordinator, as far as the session knows it: how far it is, what WELCOME said, and when to dial again."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING

from protocol.codes import Code
from protocol.errors import ConnectionClosed
from protocol.pb import broker_pb2 as pb
from rtcbroker.core import events
from rtcbroker.core.credentials import Credentials
from rtcbroker.core.options import ClientOptions
from rtcbroker.core.servers import ServerList
from service.backoff import Backoff
from service.urls import Turns, host_of

if TYPE_CHECKING:
    import random


_HURRIED = 0.5
"""Share of the dial time-out that a coordinator has while there is another one that was not tried since the last WELCOME."""


class Socket(enum.Enum):
    """How far the socket is."""

    DOWN = "down"
    """Dialed at its deadline, if it has one."""
    TOKEN = "token"
    """Waits for the application's token."""
    DIALING = "dialing"
    OPEN = "open"
    """Waits for WELCOME."""
    WELCOMED = "welcomed"


class Signalling:
    """The one socket of a client. A call that leads to another state says so; what that means is the session's business."""

    def __init__(
        self,
        urls: Turns,
        options: ClientOptions,
        credentials: Credentials,
        rng: random.Random,
        emit: Callable[[events.Output], None],
    ) -> None:
        """`urls` are the coordinators': each dial goes to the next."""
        self.socket = Socket.DOWN
        self.deadline: float | None = None
        """When to call :meth:`tick`."""
        self.asked_at = 0.0
        """When the application was last asked for a token."""
        self.alias = 0
        """Our alias at the coordinator, by the last WELCOME; 0 before."""
        self.servers = ServerList()
        self._resume = ""
        self._url = ""
        self._urls = urls
        self._tried = 0
        """Dials since the last WELCOME."""
        self._options = options
        self._credentials = credentials
        self._pauses = Backoff(options.backoff_base, options.backoff_cap, rng)
        self._emit = emit

    @property
    def speaks_part2(self) -> bool:
        """Whether the coordinator is one of ours: it gave a proof with which the alias can be had again."""
        return bool(self._resume)

    def dial(self, now: float) -> None:
        """Dial, once there is a token to show."""
        self.deadline = None
        if self._credentials.is_due(now):
            self.socket = Socket.TOKEN
            self.ask_token(now)
            return
        self.socket = Socket.DIALING
        self._url = self._urls.next()
        self._tried += 1
        is_hurried = self._tried < len(self._urls)
        self.deadline = now + self._options.dial_timeout * (_HURRIED if is_hurried else 1.0)
        # Without a proof there is no use in asking for an alias.
        self._emit(events.DialCoordinator(self._url, self.alias if self._resume else 0, self._resume, self._credentials.token))

    def ask_token(self, now: float) -> None:
        """Ask the application for a token, unless that was done already."""
        if not self._credentials.asked:
            self._credentials.asked = True
            self.asked_at = now
            self._emit(events.AskToken())

    def hang_up(self) -> None:
        """Close the socket, or stop dialing."""
        if self.socket in (Socket.DIALING, Socket.OPEN, Socket.WELCOMED):
            self._emit(events.HangUp())
        self.socket = Socket.DOWN
        self.deadline = None

    def dial_at(self, when: float) -> None:
        """Hang up, and dial again at `when`. A dial that waits for its token goes on by itself."""
        if self.socket is not Socket.TOKEN:
            self.hang_up()
            self.deadline = when

    def dial_later(self, now: float) -> None:
        """The socket did not come up, or went: dial again after a pause, longer each time until there is a WELCOME."""
        self.dial_at(now + self._pauses.next())

    def welcomed(self, welcome: pb.WelcomeMessage) -> None:
        """WELCOME came: the first on this socket, or a fresher one."""
        if self.socket is not Socket.WELCOMED:
            self._emit(events.CoordinatorJoined(host_of(self._url)))
        self.socket = Socket.WELCOMED
        self.deadline = None
        self.alias = welcome.alias
        self._resume = welcome.resume
        self._pauses.reset()
        self._tried = 0
        self.servers.refresh(welcome.available_servers)

    def tick(self, now: float) -> ConnectionClosed | None:
        """Look at the deadline: a dial that is due is made; one that did not lead to WELCOME in time is given up, and this is why."""
        if self.deadline is None or now < self.deadline:
            return None
        if self.socket is Socket.DOWN:
            self.dial(now)
            return None
        if self.socket is Socket.OPEN:
            why = f"no WELCOME from the coordinator in time: {host_of(self._url)} took the connection and said nothing"
        else:
            why = f"the coordinator did not answer in time: {host_of(self._url)} cannot be reached"
        self.hang_up()
        return ConnectionClosed(Code.TIMEOUT, why)
