"""The fake link beyond the contract: it does nothing by itself, and everything it is told."""

from __future__ import annotations

import subprocess
import sys

import pytest

from protocol.errors import MessageTooLarge
from tests.support.rtc import Recorder
from transport import LinkEnd, fake_pair
from transport.fake import FakeLink, pump


def pair(max_message: int = 65536, low_mark: int = 65536) -> tuple[FakeLink, FakeLink, Recorder, Recorder]:
    a, b = Recorder(), Recorder()
    first, second = fake_pair(a, b, max_message=max_message, low_mark=low_mark)
    return first, second, a, b


def test_nothing_happens_by_itself() -> None:
    first, second, a, b = pair()
    assert not first.is_open
    first.send(b"early", reliable=True)
    assert not a.opened
    assert first.deliver() == 1
    assert a.opened == [first]
    first.send(b"x", reliable=False)
    assert not b.messages
    assert second.deliver() == 2
    assert b.messages == [(b"x", False)]
    assert first.sent == [(b"x", False)]


def test_events_one_by_one() -> None:
    first, second, _, b = pair()
    first.deliver()
    first.send(b"1", reliable=True)
    first.send(b"2", reliable=True)
    assert second.deliver(2) == 2
    assert b.messages == [(b"1", True)]
    assert second.deliver() == 1


def test_buffered_amounts_are_set_and_run_low() -> None:
    first, second, a, _ = pair(low_mark=100)
    pump(first, second)
    first.set_buffered(500, reliable=True)
    assert first.buffered_amount(reliable=True) == 500
    assert first.buffered_amount(reliable=False) == 0
    first.set_buffered(101, reliable=True)
    pump(first)
    assert a.lows == []
    first.set_buffered(100, reliable=True)
    first.set_buffered(0, reliable=True)
    pump(first)
    assert a.lows == [True]


@pytest.mark.parametrize("end", LinkEnd)
def test_ends_as_told(end: LinkEnd) -> None:
    first, second, a, b = pair()
    pump(first, second)
    first.finish(end)
    assert not first.is_open
    pump(first, second)
    assert a.ends == [end]
    assert b.ends == [LinkEnd.REMOTE]
    assert first.end_seen == end


def test_the_other_side_may_not_have_noticed() -> None:
    first, second, a, b = pair()
    pump(first, second)
    first.finish(LinkEnd.SILENT, other=None)
    pump(first, second)
    assert a.ends == [LinkEnd.SILENT]
    assert second.is_open
    second.send(b"into the void", reliable=True)
    second.finish(LinkEnd.SILENT)
    pump(first, second)
    assert b.ends == [LinkEnd.SILENT]
    assert a.messages == []


def test_messages_sent_before_the_end_arrive() -> None:
    first, second, _, b = pair()
    pump(first, second)
    first.send(b"last", reliable=True)
    first.close()
    pump(first, second)
    assert b.messages == [(b"last", True)]


def test_a_message_over_the_limit() -> None:
    first, second, _, b = pair(max_message=4)
    pump(first, second)
    first.send(b"four", reliable=True)
    with pytest.raises(MessageTooLarge) as caught:
        first.send(b"fives", reliable=True)
    assert (caught.value.size, caught.value.limit) == (5, 4)
    pump(second)
    assert b.messages == [(b"four", True)]


def test_endless_talk_is_noticed() -> None:
    first, second, a, b = pair()
    for recorder in (a, b):
        recorder.react = lambda link, data, reliable: link.send(data, reliable=reliable)
    pump(first, second)
    first.send(b"ping", reliable=True)
    with pytest.raises(RuntimeError, match="still busy"):
        pump(first, second, rounds=10)


def test_the_fake_does_not_load_the_webrtc_stack() -> None:
    script = "import sys, transport; transport.fake_pair; print('aiortc' in sys.modules, 'aioice' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == ["False", "False"]


def test_unknown_names_are_no_part_of_the_package() -> None:
    import transport

    with pytest.raises(AttributeError, match="Nonsense"):
        _ = transport.Nonsense
    assert all(getattr(transport, name) for name in transport.__all__)
