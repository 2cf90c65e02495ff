"""What a handler is told, and when: on its own loop turn or within tell(), in order, and nothing once it has closed."""

from __future__ import annotations

import asyncio

from tests.support.rtc import Recorder
from transport.fake import fake_pair
from transport.link import LinkEnd
from transport.mailbox import MAX_EARLY_MESSAGES, Mailbox


class Box(Mailbox):
    """A mailbox of a recorder, with the reasons it failed for."""

    def __init__(self) -> None:
        self.recorder, self.failed = Recorder(), list[str]()
        self.link, _ = fake_pair(self.recorder, Recorder())
        super().__init__(self.link, self.recorder, "box", self.failed.append)


async def test_the_next_turn_of_the_loop_tells() -> None:
    box = Box()
    box.message(True, b"1")
    box.open()
    box.low(False)
    assert box.recorder.opened == []
    await asyncio.sleep(0)
    assert box.recorder.opened == [box.link]
    assert box.recorder.messages == [(b"1", True)]
    assert box.recorder.lows == [False]


async def test_while_held_only_tell_tells() -> None:
    box = Box()
    box.held = True
    box.open()
    box.message(False, b"1")
    await asyncio.sleep(0)
    assert box.recorder.opened == []
    box.tell()
    assert box.recorder.messages == [(b"1", False)]


async def test_nothing_is_told_before_the_opening() -> None:
    box = Box()
    box.message(True, b"1")
    box.tell()
    await asyncio.sleep(0)
    assert box.recorder.messages == []
    assert len(box) == 1


async def test_what_comes_while_the_handler_is_told_waits_its_turn() -> None:
    box = Box()
    box.recorder.react = lambda link, data, reliable: box.message(reliable, data + b"!") if len(data) < 3 else None
    box.open()
    box.message(True, b"1")
    box.tell()
    assert box.recorder.messages == [(b"1", True)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert box.recorder.bodies(reliable=True) == [b"1", b"1!", b"1!!"]


async def test_muted_within_a_batch() -> None:
    box = Box()

    def mute(*_: object) -> None:
        box.muted = True

    box.recorder.react = mute
    box.open()
    box.message(True, b"1")
    box.message(True, b"2")
    box.tell()
    box.tell()
    assert box.recorder.messages == [(b"1", True)]
    box.close(LinkEnd.LOCAL)
    assert box.recorder.ends == [LinkEnd.LOCAL]


async def test_the_end_comes_after_what_is_left() -> None:
    box = Box()
    box.open()
    box.message(True, b"1")
    box.close(LinkEnd.REMOTE)
    assert box.recorder.messages == [(b"1", True)]
    assert box.recorder.ends == [LinkEnd.REMOTE]
    box.message(True, b"late")
    await asyncio.sleep(0)
    assert box.recorder.messages == [(b"1", True)]


async def test_an_end_without_an_opening() -> None:
    box = Box()
    box.message(True, b"1")
    box.close(LinkEnd.FAILED)
    assert box.recorder.opened == []
    assert box.recorder.messages == []
    assert box.recorder.ends == [LinkEnd.FAILED]


async def test_too_much_too_early() -> None:
    box = Box()
    for _ in range(MAX_EARLY_MESSAGES):
        box.message(True, b"x")
    assert box.failed == []
    box.message(True, b"x")
    assert len(box.failed) == 1
    assert len(box) == 0
    box.open()
    box.tell()
    assert box.recorder.opened == []
