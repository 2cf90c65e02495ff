"""What is written on Collider's WebSockets: commands of clients, messages and errors for them; one JSON object in each frame."""

from __future__ import annotations

import json
from dataclasses import dataclass

_FIELDS = {"cmd": "cmd", "roomid": "room_id", "clientid": "client_id", "msg": "msg"}


@dataclass(frozen=True, slots=True)
class Command:
    """What a client wants. Empty is what it did not say."""

    cmd: str = ""
    room_id: str = ""
    client_id: str = ""
    msg: str = ""


class MalformedCommand(ValueError):
    """A frame that is no command; says in what way."""


def decode_command(data: str | bytes) -> Command:
    """Raises :class:`MalformedCommand` for what is no JSON object, or has something other than a text where one belongs.

    What is missing or null is the empty text, unknown keys mean nothing, and bytes that are no UTF-8 become U+FFFD.
    """
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedCommand("this is no JSON") from None
    if value is None:
        return Command()
    if not isinstance(value, dict):
        raise MalformedCommand("this is no JSON object")
    fields = {}
    for name, attribute in _FIELDS.items():
        found = value.get(name)
        if found is not None and not isinstance(found, str):
            raise MalformedCommand(f"{name} is no string")
        fields[attribute] = found or ""
    return Command(**fields)


def message_frame(text: str) -> str:
    """What the peer said."""
    return _frame(text, "")


def error_frame(text: str) -> str:
    """What was wrong."""
    return _frame("", text)


def _frame(msg: str, error: str) -> str:
    """Both keys, always: there are clients that fail where one is missing. In ASCII: half a surrogate pair can be in JSON, not in UTF-8."""
    return json.dumps({"msg": msg, "error": error}, separators=(",", ":")) + "\n"
