"""What those who look after the cluster ask of it: publish, disconnect, revoke, drain. Asked at any coordinator, it holds everywhere.

Each coordinator deals with the sockets it has and tells the servers it has; what is asked here goes to the other coordinators by the
backplane. Whoever is no peer of the core but came in with a token as well (dashboards, peer-to-peer sockets) is named in a Dismiss.
"""

from __future__ import annotations

import hashlib
import logging
from typing import Literal

from coordinator.core.cluster import Disconnect, Forward, Revocation, Revoked, TokenName
from coordinator.core.outputs import Dismiss
from coordinator.core.post import Post
from coordinator.core.registry import Peer, Registry
from coordinator.core.revocations import Revocations
from coordinator.core.servers import Servers
from protocol import operations
from protocol.codes import Code
from protocol.pb import broker_pb2 as pb
from protocol.tokens import TokenRole

log = logging.getLogger(__name__)

DrainOutcome = Literal["asked", "no such server", "old server", "out of reach"]


class Operations:
    """Takes effect at once; every method but the questions is to be followed by the outputs being carried out."""

    def __init__(self, registry: Registry, servers: Servers, post: Post, revocations: Revocations) -> None:
        self._registry = registry
        self._servers = servers
        self._post = post
        self._revocations = revocations

    # Asked here

    def publish(
        self, topic: str, body: bytes, now: float, *, reliable: bool = True, identity: bytes = b"", alone: bool = False
    ) -> int | None:
        """Have one server relay a packet; returns its alias, or None where there is none that could.

        Packets of one topic go by the same server as long as the servers stay the same, so they keep their order; one whose socket is here
        is preferred, and nothing else will do while this coordinator is `alone`: no other can be reached. Raises what
        :func:`protocol.operations.check_publish` does.
        """
        frame = operations.publish(topic, body, reliable=reliable, identity=identity)
        able = [alias for alias in self._servers.aliases() if self._can_publish(alias, now)]
        here = [alias for alias in able if self._servers.home(alias) is None]
        chosen = max(here if here or alone else able, key=lambda alias: _score(alias, topic), default=None)
        if chosen is not None:
            self._tell(chosen, pb.PUBLISH, frame)
        return chosen

    def drain(self, alias: int, seconds: float, *, alone: bool = False) -> DrainOutcome:
        """Ask a server to be empty within `seconds`, 0 leaving the time to it; `alone`: no other coordinator can be reached. Raises
        :class:`protocol.errors.DecodeError` for a time that is none.
        """
        frame = operations.drain(seconds)
        state = self._servers.get(alias)
        if state is None:
            return "no such server"
        if not state.part2:
            return "old server"
        if alone and self._servers.home(alias) is not None:
            return "out of reach"
        log.info("server %d is asked to drain", alias)
        self._tell(alias, pb.DRAIN, frame)
        return "asked"

    def disconnect(self, what: Disconnect) -> int:
        """Disconnect a subject or an alias everywhere; returns how many sockets that were here."""
        self._post.emit(what)
        return self.disconnected(what)

    def revoke(self, name: TokenName, value: str, until: float, now: float) -> Revocation | None:
        """Refuse such tokens `until` then, everywhere, and disconnect who has one; None where there is no room for another revocation.

        Replaces any of the same name and value. Raises :class:`protocol.errors.DecodeError` for a name or a time that no server would take.
        """
        _frame(made := self._revocations.make(name, value, until, now))
        if not self._revocations.has_room(made.key, now):
            return None
        self._announce(made, now)
        return made

    def lift(self, name: TokenName, value: str, now: float) -> Revocation | None:
        """Take a revocation back, everywhere; None where there is none in force."""
        lifting = self._revocations.lifting(name, value, now)
        if lifting is not None:
            self._announce(lifting, now)
        return lifting

    # Asked elsewhere

    def disconnected(self, what: Disconnect) -> int:
        """Somebody wants it, here or at another coordinator."""
        frame = operations.disconnect(subject=what.subject, alias=what.alias)
        ended = self._end(Code.DISCONNECTED, subject=what.subject, alias=what.alias)
        if what.subject:
            self._post.emit(Dismiss(Code.DISCONNECTED, subject=what.subject))
        self._tell_all(frame)
        return ended

    def revoked(self, revocation: Revocation, now: float) -> None:
        """Another coordinator made or lifted one."""
        if not self._revocations.take(revocation, now):
            return
        log.info(
            "tokens with %s %r are %s",
            revocation.name,
            revocation.value,
            "not revoked any more" if revocation.lifted else "revoked",
        )
        if not revocation.lifted:
            subject = revocation.value if revocation.name == "subject" else ""
            token_id = revocation.value if revocation.name == "jti" else ""
            self._end(Code.TOKEN_REVOKED, subject=subject, token_id=token_id)
            self._post.emit(Dismiss(Code.TOKEN_REVOKED, subject, token_id))
        self._tell_all(_frame(revocation))

    # To servers

    def server_joined(self, peer: Peer, now: float) -> None:
        """A server of this coordinator has its alias: it gets to know all revocations, one after the other as it reads them."""
        if peer.part2:
            peer.backlog.extend(revocation.key for revocation in self._revocations.all(now))

    def next_of_backlog(self, peer: Peer, now: float) -> bytes | None:
        """The next frame of what a server that has joined is to know; as it stands now, so it never comes after something newer."""
        while peer.backlog:
            revocation = self._revocations.get(peer.backlog.popleft(), now)
            if revocation is not None:
                return _frame(revocation)
        return None

    def forwarded(self, recipient: Peer, frame: bytes) -> bool:
        """A frame that was asked for at another coordinator, for a server here; False where it is none that could read it."""
        if not recipient.is_server or not recipient.part2:
            return False
        self._post.send(recipient, frame)
        return True

    def _announce(self, revocation: Revocation, now: float) -> None:
        self._post.emit(Revoked(revocation))
        self.revoked(revocation, now)

    def _can_publish(self, alias: int, now: float) -> bool:
        """A full server takes no more clients, but packets; one that is draining is about to go."""
        state = self._servers.get(alias)
        return state is not None and state.part2 and self._servers.condition(alias, now) in ("ready", "full")

    def _tell(self, alias: int, kind: int, frame: bytes) -> None:
        peer = self._registry.by_alias(alias)
        if peer is not None:
            self._post.send(peer, frame)
        else:
            self._post.emit(Forward(alias, 0, TokenRole.ADMIN, kind, frame))

    def _tell_all(self, frame: bytes) -> None:
        for peer in self._registry:
            if peer.is_server and peer.part2 and peer.alias:
                self._post.send(peer, frame)

    def _end(self, code: Code, *, subject: str = "", token_id: str = "", alias: int = 0) -> int:
        """Close whom it is about; servers that stay get to know it from :meth:`_tell_all`."""
        concerned = [
            peer
            for peer in self._registry
            if (subject and peer.subject == subject)
            or (token_id and peer.token_id == token_id)
            or (alias and peer.alias == alias)
        ]
        for peer in concerned:
            self._post.close(peer, code)
        return len(concerned)


def _frame(revocation: Revocation) -> bytes:
    """REVOKE, as a server takes it."""
    subject = revocation.value if revocation.name == "subject" else ""
    token_id = revocation.value if revocation.name == "jti" else ""
    if revocation.lifted:
        return operations.lift(subject=subject, jti=token_id)
    return operations.revoke(subject=subject, jti=token_id, until=revocation.until)


def _score(alias: int, topic: str) -> bytes:
    """Rendezvous hashing: when a server comes or goes, only the topics that it wins or had change their server."""
    return hashlib.blake2b(f"{alias} {topic}".encode(), digest_size=8).digest()
