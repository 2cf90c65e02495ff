"""WebRTC links: the only package that imports aiortc and aioice.

The names are resolved on first use, so that code which only needs the contract (:mod:`transport.link`) or the fake does not
wait for the WebRTC stack to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transport.link import Link, LinkEnd, LinkHandler

if TYPE_CHECKING:
    from protocol.ice import IceServer
    from transport.dialer import Dialer, DialerLink
    from transport.fake import FakeLink, fake_pair
    from transport.listener import Listener, ListenerLink

__all__ = [
    "Dialer",
    "DialerLink",
    "FakeLink",
    "IceServer",
    "Link",
    "LinkEnd",
    "LinkHandler",
    "Listener",
    "ListenerLink",
    "fake_pair",
]

_HOMES = {
    "Dialer": "transport.dialer",
    "DialerLink": "transport.dialer",
    "IceServer": "protocol.ice",
    "FakeLink": "transport.fake",
    "fake_pair": "transport.fake",
    "Listener": "transport.listener",
    "ListenerLink": "transport.listener",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
