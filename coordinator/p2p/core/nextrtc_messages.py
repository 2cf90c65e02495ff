"""NextRTC's one message: five keys, all of them text but `custom`, a flat map of texts.

Clients are read leniently - keys missing or null, numbers for texts, apostrophes for quotes - because the server they were written for
reads them so. What is sent has always all five keys and never a null, because its clients count on that.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NewType

Json = NewType("Json", str)
"""Text that is JSON already: encoded once, however many members it goes to."""

EMPTY = Json('""')
NO_CUSTOM = Json("{}")


class BadMessageError(Exception):
    """A frame that is no message; its text says what is wrong, without quoting what came."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a client said. `from` is not kept: the server knows better."""

    signal: str = ""
    to: str = ""
    content: str = ""
    custom: Mapping[str, str] = field(default_factory=dict)


def parse(data: str | bytes) -> Message:
    """Read a frame. Raises :class:`BadMessageError`."""
    if isinstance(data, bytes):
        raise BadMessageError("binary frames are not part of this protocol")
    document = _load(data)
    if not isinstance(document, dict):
        raise BadMessageError("a message is a JSON object")
    return Message(
        signal=_text(document.get("signal"), "'signal'"),
        to=_text(document.get("to"), "'to'"),
        content=_text(document.get("content"), "'content'"),
        custom=_custom(document.get("custom")),
    )


def frame(signal: str, to: str, *, sender: str = "", content: Json = EMPTY, custom: Json = NO_CUSTOM) -> str:
    """A message to a member. `signal`, `to` and `sender` are ours, or plain names: nothing in them has to be escaped."""
    return f'{{"from":"{sender}","to":"{to}","signal":"{signal}","content":{content},"custom":{custom}}}'


def encode(value: str | Mapping[str, str]) -> Json:
    """Content or custom as JSON. Pure ASCII, so that half a surrogate pair that somebody sent is passed on as it came."""
    return Json(_ENCODER.encode(value if isinstance(value, str) else dict(value)))


def encode_escaped(value: str | Mapping[str, str]) -> Json:
    """The same of what people write: pages put it into their HTML as it comes, trusting the server to have made that harmless."""
    if isinstance(value, str):
        return encode(html.escape(value, quote=False))
    return encode({name: html.escape(text, quote=False) for name, text in value.items()})


_ENCODER = json.JSONEncoder(separators=(",", ":"))


def _swap_in(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {_swapped(name): _swapped(value) if isinstance(value, str) else value for name, value in pairs}


def _swapped(text: str) -> str:
    return text.translate(_SWAP)


_SWAP = str.maketrans({'"': "'", "'": '"'})

# Numbers stay as they were written: they end up in a text. Line breaks in texts are let through, some clients do not escape them.
_DECODER = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)
_SWAPPED_DECODER = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_swap_in)


def _load(text: str) -> Any:
    """JSON, or JSON with its two kinds of quotes swapped; at the speed of C either way, since anybody may send a megabyte of quotes."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        pass
    try:
        # A quote mark in a text in apostrophes may be escaped, an apostrophe in a text in quote marks may not.
        return _SWAPPED_DECODER.decode(_swapped(text).replace("\\'", "'"))
    except (ValueError, RecursionError):
        raise BadMessageError("a message is JSON") from None


def _text(value: Any, where: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    raise BadMessageError(f"{where} is a text")


def _custom(value: Any) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadMessageError("'custom' is a map of texts")
    return {name: _text(each, "what is in 'custom'") for name, each in value.items() if each is not None}
