"""Who is connected to NextRTC signalling, and the post that takes messages to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coordinator.core.store import Store
from coordinator.p2p.core.nextrtc_messages import EMPTY, NO_CUSTOM, Json, frame
from coordinator.p2p.core.outputs import Close, Output, Send

if TYPE_CHECKING:
    from coordinator.p2p.core.nextrtc_contexts import PairContext
    from coordinator.p2p.core.nextrtc_conversations import Conversation


@dataclass(slots=True, eq=False)
class Member:
    """One socket. It has an id from its first moment, and learns it from whatever it is sent first."""

    key: int
    id: str
    ping: str
    """The frame it gets every few seconds, always the same."""
    account: Store
    """Of its address: what is kept of what it says is taken of it."""
    conversation: Conversation | None = None
    contexts: dict[str, PairContext] = field(default_factory=dict)
    """Negotiations with others of its conversation, by their id. Both members of a pair hold the same context."""


class Post:
    """Collects what is to be sent, in order."""

    def __init__(self) -> None:
        self._outputs: list[Output] = []

    def tell(
        self, to: Member, signal: str, *, sender: Member | None = None, content: Json = EMPTY, custom: Json = NO_CUSTOM
    ) -> None:
        """One message; without a sender it is the server's own."""
        name = "" if sender is None else sender.id
        self.put(to.key, frame(signal, to.id, sender=name, content=content, custom=custom))

    def put(self, key: int, text: str) -> None:
        """One frame that is made already."""
        self._outputs.append(Send(key, text))

    def close(self, key: int, code: int, reason: str) -> None:
        """Close a socket after what was sent before."""
        self._outputs.append(Close(key, code, reason))

    def drain(self) -> list[Output]:
        """All of it, once."""
        outputs, self._outputs = self._outputs, []
        return outputs
