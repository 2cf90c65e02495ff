"""Candidates that come before they can be used: theirs before there is a link to give them to, ours before the answer has gone out.

Trickled candidates take any order (RFC 8838), but an old server adds one only once it has our answer, and our transport once it has
made it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from protocol import signalling
from protocol.errors import CandidateError
from protocol.limits import MAX_CANDIDATES
from rtcbroker.core import events

logger = logging.getLogger(__name__)


class Trickle:
    """The candidates of one link, both ways; at most ``MAX_CANDIDATES`` each way."""

    def __init__(self, link: int, server: int, emit: Callable[[events.Output], None]) -> None:
        self._link = link
        self._server = server
        self._emit = emit
        self._is_open = False
        self._waiting: list[events.Output] = []
        self._received = 0
        self._found = 0

    def received(self, data: bytes) -> None:
        """WEBRTC_ICE_CANDIDATE came; one that is none, or one too many, is dropped."""
        self._received += 1
        if self._received > MAX_CANDIDATES:
            return
        try:
            candidate = signalling.read_candidate(data)
        except CandidateError as error:
            logger.debug("link %d: a candidate of server %d is dropped: %s", self._link, self._server, error)
            return
        self._pass(events.AddCandidate(self._link, candidate if candidate.candidate else None))

    def found(self, candidate: signalling.CandidateInit | None) -> None:
        """The transport found a candidate of ours; None ends them."""
        self._found += 1
        if self._found <= MAX_CANDIDATES:
            frame = signalling.candidate(self._server, candidate or signalling.END_OF_CANDIDATES)
            self._pass(events.SendSignal(frame))

    def open(self) -> None:
        """The answer is made and on its way: what waited may follow."""
        self._is_open = True
        for output in self._waiting:
            self._emit(output)
        self._waiting.clear()

    def _pass(self, output: events.Output) -> None:
        if self._is_open:
            self._emit(output)
        else:
            self._waiting.append(output)
