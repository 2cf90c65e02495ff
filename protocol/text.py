"""Text from strangers: what can be written as UTF-8, and cutting it to size."""

from __future__ import annotations


def is_unicode(text: str) -> bool:
    """Whether `text` can be written as UTF-8: JSON can escape half a surrogate pair, and whoever encoded it later would stumble."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def cut(text: str, max_bytes: int) -> str:
    """The beginning of `text` that has at most `max_bytes` as UTF-8, no character halved."""
    return text.encode(errors="replace")[:max_bytes].decode(errors="ignore")
