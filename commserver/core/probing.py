"""Is that peer still there? Asked when the coordinator says that its socket is gone, which is only a hint.

The echo of our PING says yes, and so does anything else that comes - but for the first moment, in which the last words of a peer that has
died may still be on their way.
"""

from __future__ import annotations

from commserver.core.delivery import Delivery
from commserver.core.events import LinkId
from commserver.core.session import Session
from commserver.core.state import State
from protocol import packets
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb

LAST_WORDS = 0.3
"""Share of the probe's time in which only the echo counts."""


class Probing:
    """Sends a PING and looks, when its time is up, whether anything at all came back; also echoes the PINGs of others."""

    def __init__(self, state: State, delivery: Delivery) -> None:
        self._state = state
        self._delivery = delivery
        # Both sides of a server link echo PINGs, so our own must be known when it comes back, however late, or it would go to and fro for
        # ever. They are numbered, since a peer echoes the same one only once, and negative with a fraction, as nobody else's are.
        self._fraction = state.rng.random()
        self._count = 0
        self._probes: dict[LinkId, int | None] = {}
        """Links being probed, and how many messages had come when last words were over; None until then."""

    def probe(self, alias: int, now: float) -> None:
        """The coordinator says that the peer is gone. Old peers are left to the transport's own deadline."""
        for session in self._state.peers.of_alias(alias):
            if session.is_active:
                self._probe(session, now)
            else:
                session.gone_hint = True

    def became_active(self, session: Session, now: float) -> None:
        """The session may have been made with the last words of a peer that is gone."""
        if session.gone_hint:
            self._probe(session, now)

    def _probe(self, session: Session, now: float) -> None:
        if session.link in self._probes or not session.capabilities:
            return
        self._probes[session.link] = None
        self._count += 1
        self._delivery.control(session, self._own(self._count))
        self._state.deadlines.set(("probe", session.link), now + LAST_WORDS * self._state.config.probe_timeout)

    def due(self, session: Session, now: float) -> bool:
        """A deadline of the probe: whether the peer may stay, for now or for good."""
        if session.link not in self._probes:
            return True
        if (before := self._probes[session.link]) is None:
            self._probes[session.link] = session.packets
            self._state.deadlines.set(("probe", session.link), now + (1 - LAST_WORDS) * self._state.config.probe_timeout)
            return True
        del self._probes[session.link]
        return session.packets != before

    def _own(self, number: int) -> bytes:
        return packets.ping(-(number + self._fraction))

    def ended(self, session: Session) -> None:
        """The session is over."""
        self._probes.pop(session.link, None)

    def ping(self, session: Session, data: bytes, *, reliable: bool) -> None:
        """A PING came: send it back byte for byte, unless it is our own coming back."""
        number = -pb.PingMessage.FromString(data).time
        if 1.0 <= number <= self._count + 1 and data == self._own(int(number)):
            self._probes.pop(session.link, None)
            self._state.deadlines.cancel(("probe", session.link))
            return
        if session.pings.take(self._state.now):
            self._delivery.control(session, data, reliable=reliable)
        else:
            self._delivery.error(session, Code.RATE_LIMITED, self._state.now, reason="too many PINGs", charge=False)
