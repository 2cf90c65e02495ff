"""Text from strangers: what can be written as UTF-8, and cutting it to size."""

from __future__ import annotations

import re

from protocol.limits import MAX_REQUEST_ID_BYTES

_REQUEST_ID = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_REQUEST_ID_BYTES}}}", re.ASCII)


def is_unicode(text: str) -> bool:
    """Whether `text` can be written as UTF-8: JSON can escape half a surrogate pair, and whoever encoded it later would stumble."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_request_id(text: str) -> bool:
    """Whether `text` may stand in logs as the name of a request: letters, digits, ``.``, ``_`` and ``-``, not too many."""
    return _REQUEST_ID.fullmatch(text) is not None


def cut(text: str, max_bytes: int) -> str:
    """The beginning of `text` that has at most `max_bytes` as UTF-8, no character halved."""
    return text.encode(errors="replace")[:max_bytes].decode(errors="ignore")
