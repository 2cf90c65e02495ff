"""Asking the application for its token."""

from __future__ import annotations

import asyncio

import pytest

from rtcbroker.io.tokens import NoToken, ask


async def later() -> str:
    """A token that takes a turn of the loop."""
    await asyncio.sleep(0)
    return " token\n"


async def never() -> str:
    """A token that never comes."""
    await asyncio.Event().wait()
    return ""


async def test_a_function_may_be_plain_or_async_and_read_a_file_with_its_line_end() -> None:
    assert await ask(lambda: "token\n", 1) == "token"
    assert await ask(later, 1) == "token"


async def test_what_it_raises_comes_through() -> None:
    def broken() -> str:
        raise ValueError("no luck")

    with pytest.raises(ValueError, match="no luck"):
        await ask(broken, 1)


async def test_it_has_a_deadline() -> None:
    with pytest.raises(TimeoutError, match=r"it took longer than 0.001 s"):
        await ask(never, 0.001)

    async def impatient() -> str:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await ask(impatient, 1)


@pytest.mark.parametrize(
    ("given", "said"), [(b"token", "bytes"), (None, "NoneType"), ("", "an empty text"), (" \n", "an empty text")]
)
async def test_it_must_give_a_text_with_something_in_it(given: object, said: str) -> None:
    with pytest.raises(NoToken, match=f"it gave {said}, "):
        await ask(lambda: given, 1)  # type: ignore[arg-type, return-value]  # wrong on purpose
