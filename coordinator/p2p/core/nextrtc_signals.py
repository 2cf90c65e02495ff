"""Signals of one's own, beside NextRTC's: a name, and a function that says what is answered to whom."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

BUILT_IN = frozenset({
    "create", "created", "join", "joined", "newjoined", "left", "end", "offerrequest", "offerresponse", "answerrequest",
    "answerresponse", "finalize", "candidate", "text", "ping", "error",
})  # fmt: skip
"""The names of the protocol, in lower case; clients may write them in any."""

_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class Audience(enum.Enum):
    """Who gets a reply. Nobody outside the caller's conversation ever does."""

    CALLER = enum.auto()
    RECIPIENT = enum.auto()
    """The member that the call names in `to`, if both are in one conversation."""
    OTHERS = enum.auto()
    """Everybody else in the caller's conversation."""


@dataclass(frozen=True, slots=True)
class Call:
    """A custom signal that came, as it was sent."""

    caller: str
    """Member id."""
    to: str
    """What the caller wrote there."""
    conversation: str
    """Id of the caller's conversation, empty if it is in none."""
    content: str
    custom: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """A message under the signal's own name. What is in it is escaped for HTML on its way, as texts are."""

    content: str = ""
    custom: Mapping[str, str] = field(default_factory=dict)
    audience: Audience = Audience.CALLER


CustomSignal = Callable[[Call], Iterable[Reply]]
"""Must neither wait nor keep anything unbounded. If it raises, the caller gets UNKNOWN_ERROR."""


def upper_case(call: Call) -> Iterable[Reply]:
    """The sample that servers of NextRTC come with."""
    yield Reply(call.content.upper())


SAMPLES: Mapping[str, CustomSignal] = {"upperCase": upper_case}


def checked(signals: Mapping[str, CustomSignal]) -> dict[str, CustomSignal]:
    """A registry of custom signals. Raises ValueError naming one that the protocol has already, or that is no plain name."""
    for name in signals:
        if not _NAME.fullmatch(name):
            raise ValueError(f"custom signal {name!r}: a name has 1 to 64 letters, digits and any of _ . : -")
        if name.lower() in BUILT_IN:
            raise ValueError(f"custom signal {name!r}: the protocol has a signal of that name")
    return dict(signals)
