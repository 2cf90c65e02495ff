"""Challenges: the binding requests by which an address proves that the peer is there. Pure.

Nothing is remembered of one: its transaction id says whom and which path it was for, under a seal that only we can make. So a flood of
requests that ask for challenges leaves nothing behind.
"""

from __future__ import annotations

import hmac
from typing import Final

from transport import stun_binding as stun
from transport.paths import IcePeer, Path

_PRIORITY: Final = 110 << 24 | 65_535 << 8 | 255
"""That of a peer reflexive candidate, as checks have to say (RFC 8445 section 7.1.1)."""

_NUMBER_BYTES: Final = 4
_SEAL_BYTES: Final = 8
_NUMBERS: Final = 2 ** (8 * _NUMBER_BYTES)


class Challenges:
    """Makes them, and knows its own again."""

    def __init__(self, secret: bytes) -> None:
        """`secret`: random, at least 16 bytes."""
        self._secret = secret

    def make(self, peer: IcePeer, path: Path, *, nominated: bool) -> bytes:
        """A challenge for the peer at that path; empty while its answer, and so its password, is not known.

        `nominated`: the peer wants to be reached there, so it is followed once the path is proven.
        """
        if peer.remote_ufrag is None:
            return b""
        return stun.request(
            self._transaction(peer, path, nominated),
            username=f"{peer.remote_ufrag}:{peer.ufrag}",
            key=peer.remote_key,
            priority=_PRIORITY,
        )

    def number(self, transaction: bytes) -> int:
        """The number of the peer that a challenge with this transaction id would be for."""
        return int.from_bytes(transaction[:_NUMBER_BYTES], "big")

    def read(self, transaction: bytes, peer: IcePeer, path: Path) -> bool | None:
        """Whether the challenge with this transaction id was for a nominated path; None where it was not made for this path.

        It is good until the peer is moved: who records an answer cannot bring the peer back with it later.
        """
        for nominated in (True, False):
            if hmac.compare_digest(transaction, self._transaction(peer, path, nominated)):
                return nominated
        return None

    def _transaction(self, peer: IcePeer, path: Path, nominated: bool) -> bytes:
        about = f"{peer.number} {peer.moves} {nominated} {path}".encode()
        seal = hmac.digest(self._secret, about, "sha256")[:_SEAL_BYTES]
        return (peer.number % _NUMBERS).to_bytes(_NUMBER_BYTES, "big") + seal
