"""What a hostile peer can make an association do: end it, and nothing else."""

from __future__ import annotations

import asyncio
import random
import struct
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
import pytest_asyncio
from aiortc.rtcsctptransport import (
    SCTP_TSN_MODULO,
    WEBRTC_BINARY,
    WEBRTC_DCEP,
    WEBRTC_STRING,
    Chunk,
    DataChunk,
    ForwardTsnChunk,
    HeartbeatChunk,
    InitChunk,
    ReconfigChunk,
    SackChunk,
    ShutdownChunk,
)
from google_crc32c import value as crc32c

from tests.support.poll import until
from tests.support.rtc import MemorySession, Recorder, ended, memory_pair
from transport.fastpath.dtls import drive
from transport.fastpath.fast_sctp import SACK_DELAY_S
from transport.fastpath.sctp import (
    MAX_CHANNELS,
    MAX_GAP_BLOCKS,
    MAX_MISORDERED,
    MAX_REASSEMBLY,
    MAX_STREAMS,
    _gap_blocks,
)
from transport.link import LinkEnd
from transport.options import LinkOptions


class Attack:
    """An open link, of which the second end writes SCTP packets of its own."""

    def __init__(self, fast: bool) -> None:
        self.victim, self.attacker = Recorder(), Recorder()
        self.first, self.second = memory_pair(self.victim, self.attacker, LinkOptions(fast=fast))

    async def begin(self) -> None:
        await self.victim.is_open()
        await self.attacker.is_open()
        self.sctp: Any = self.first.sctp
        self.own_sctp: Any = self.second.sctp
        self.own_dtls: Any = self.second.dtls
        self.own_sctp.on_violation = lambda error: None  # it hears of TSNs that it did not count

    def packet(self, *chunks: Chunk | bytes, tag: int | None = None) -> None:
        sctp = self.own_sctp
        header = struct.pack("!HHL", 5000, 5000, sctp._remote_verification_tag if tag is None else tag)
        body = b"".join(bytes(chunk) for chunk in chunks)
        data = header + struct.pack("<L", crc32c(header + bytes(4) + body)) + body
        drive(self.own_dtls._send_data(data))

    async def flood(self, chunks: Iterable[DataChunk]) -> None:
        """A packet for each chunk, with turns of the loop in between for the victim to read them."""
        for number, chunk in enumerate(chunks):
            self.packet(chunk)
            if number % 100 == 99:
                await asyncio.sleep(0)
                await asyncio.sleep(0)

    def data(self, ahead: int, body: bytes = b"x", *, stream: int = 1, kind: int = WEBRTC_BINARY, flags: int = 7) -> DataChunk:
        """A DATA chunk, `ahead` of the last TSN that the victim has in order; unordered and unfragmented by default."""
        chunk = DataChunk(flags)
        chunk.tsn = (self.sctp._last_received_tsn + ahead) % SCTP_TSN_MODULO
        chunk.stream_id, chunk.protocol, chunk.user_data = stream, kind, body
        return chunk

    def open_channel(self, stream: int, ahead: int = 1) -> DataChunk:
        body = struct.pack("!BBHLHH", 3, 0, 0, 0, 5, 0) + b"label"
        return self.data(ahead, body, stream=stream, kind=WEBRTC_DCEP)

    async def is_over(self) -> None:
        assert await self.victim.has_ended(5) is LinkEnd.FAILED

    async def goes_on(self) -> None:
        """The victim's own messages still arrive."""
        seen = len(self.attacker.messages)
        self.first.send(b"alive", reliable=True)
        await self.attacker.has(seen + 1, 5)
        assert self.first.is_open


@pytest_asyncio.fixture(params=[True, False], ids=["fast", "plain"])
async def attack(request: pytest.FixtureRequest) -> AsyncIterator[Attack]:
    attack = Attack(request.param)
    await attack.begin()
    yield attack
    await ended(attack.first, attack.second)


def parameter(kind: int, length: int) -> bytes:
    return struct.pack("!HH", kind, length)


@pytest.mark.parametrize("kind", [1, 4, 6, 9, 130])
async def test_a_parameter_of_length_0_does_not_loop(attack: Attack, kind: int) -> None:
    fixed = bytes(16) if kind == 1 else b""
    body = fixed + parameter(1, 0)
    attack.packet(struct.pack("!BBH", kind, 0, 4 + len(body)) + body)
    await attack.is_over()


async def test_a_broken_parameter_of_reconfig(attack: Attack) -> None:
    chunk = ReconfigChunk()
    chunk.params = [(13, b"\0" * 13)]
    attack.packet(chunk)
    await attack.is_over()


async def test_an_init_with_company(attack: Attack) -> None:
    attack.packet(InitChunk(), HeartbeatChunk(), tag=0)
    await attack.is_over()


async def test_many_heartbeats(attack: Attack) -> None:
    attack.packet(*[HeartbeatChunk() for _ in range(50)])
    await attack.is_over()


async def test_a_channel_opened_twice(attack: Attack) -> None:
    attack.packet(attack.open_channel(1))
    await attack.is_over()


async def test_many_channels(attack: Attack) -> None:
    for number in range(MAX_CHANNELS):
        attack.packet(attack.open_channel(100 + number, 1 + number))
    await until(lambda: attack.sctp._opens == MAX_CHANNELS, 5, "they do not come")
    await attack.goes_on()
    attack.packet(attack.open_channel(200))
    await attack.is_over()


async def test_an_acknowledgement_of_nothing(attack: Attack) -> None:
    attack.packet(attack.data(1, b"\x02", stream=77, kind=WEBRTC_DCEP))
    await attack.is_over()


@pytest.mark.parametrize("body", [b"\x03", b"\x03\0\0", b"\x09", b"\0", b"\xff" * 100])
async def test_other_channel_messages_are_ignored(attack: Attack, body: bytes) -> None:
    attack.packet(attack.data(1, body, stream=50, kind=WEBRTC_DCEP))
    await attack.goes_on()


async def test_a_label_that_is_not_utf8(attack: Attack) -> None:
    attack.packet(attack.data(1, struct.pack("!BBHLHH", 3, 0, 0, 0, 2, 0) + b"\xff\xfe", stream=50, kind=WEBRTC_DCEP))
    await attack.is_over()


async def test_many_streams(attack: Attack) -> None:
    for number in range(MAX_STREAMS + 1):
        attack.packet(attack.data(1 + number, stream=1000 + number))
    await attack.is_over()
    assert len(attack.sctp._inbound_streams) <= MAX_STREAMS


async def test_streams_named_in_a_forward_tsn(attack: Attack) -> None:
    chunk = ForwardTsnChunk()
    chunk.cumulative_tsn = (attack.sctp._last_received_tsn + 1) % SCTP_TSN_MODULO
    chunk.streams = [(number, 0) for number in range(200)]
    attack.packet(chunk)
    await attack.is_over()
    assert len(attack.sctp._inbound_streams) <= MAX_STREAMS


async def test_gap_blocks_of_what_was_never_sent(attack: Attack) -> None:
    sack = SackChunk()
    sack.cumulative_tsn = attack.sctp._last_sacked_tsn
    sack.gaps = [(1, 65535)] * 290
    began = time.process_time()
    attack.packet(sack)
    await attack.is_over()
    assert time.process_time() - began < 1.0, "290 blocks of 65,535 TSNs were walked"


async def test_an_acknowledgement_of_the_future(attack: Attack) -> None:
    sack = SackChunk()
    sack.cumulative_tsn = (attack.sctp._local_tsn + 1000) % SCTP_TSN_MODULO
    attack.packet(sack)
    await attack.is_over()


async def test_misordered_chunks_are_bounded_in_number(attack: Attack) -> None:
    await attack.flood([attack.data(2 + 2 * number) for number in range(MAX_MISORDERED + 500)])
    await until(lambda: len(attack.sctp._sack_misordered) == MAX_MISORDERED, 20, "they do not come")
    await attack.goes_on()
    assert len(attack.sctp._sack_misordered) == MAX_MISORDERED


async def test_misordered_chunks_are_bounded_in_bytes(attack: Attack) -> None:
    # First fragments of ordered messages: they wait for TSNs that never come.
    await attack.flood([attack.data(2 + number, bytes(1100), flags=2) for number in range(1200)])
    await until(lambda: attack.sctp._advertised_rwnd < 1100, 20, "the window does not fill")
    await attack.goes_on()
    assert attack.sctp._advertised_rwnd >= 0
    assert sum(len(c.user_data) for s in attack.sctp._inbound_streams.values() for c in s.reassembly) <= 1024 * 1024


async def test_a_message_without_end_in_tiny_pieces(attack: Attack) -> None:
    await attack.flood([attack.data(1 + number, flags=2 if number == 0 else 0) for number in range(MAX_REASSEMBLY + 10)])
    await attack.is_over()


async def test_a_message_without_end_in_large_pieces(attack: Attack) -> None:
    await attack.flood([attack.data(1 + number, bytes(1150), flags=2 if number == 0 else 0) for number in range(1200)])
    await attack.is_over()


async def test_duplicates_are_acknowledged_and_dropped(attack: Attack) -> None:
    chunk = attack.data(1, b"once")
    for _ in range(20):
        attack.packet(chunk)
    await attack.goes_on()
    assert attack.victim.messages == [(b"once", True)]
    assert attack.sctp._sack_duplicates == []


async def test_what_came_ahead_is_reported_in_gap_blocks(attack: Attack) -> None:
    sacks: list[SackChunk] = []

    async def keep(chunk: Chunk) -> None:
        assert isinstance(chunk, SackChunk)
        sacks.append(chunk)

    attack.sctp._send_chunk = keep
    last = attack.sctp._last_received_tsn
    for ahead in (2, 3, 5, 1, 2):
        attack.packet(attack.data(ahead - (attack.sctp._last_received_tsn - last)))
        count = len(sacks)
        await until(lambda: len(sacks) > count, 5, "no SACK")  # noqa: B023  # awaited before the next turn
    assert [sack.gaps for sack in sacks] == [[(2, 2)], [(2, 3)], [(2, 3), (5, 5)], [(2, 2)], [(2, 2)]]
    assert [sack.cumulative_tsn - last for sack in sacks] == [0, 0, 0, 3, 3]
    assert sacks[-1].duplicates == [last + 2]


async def test_text_that_is_no_utf8_reaches_nobody_as_text(attack: Attack) -> None:
    """The fast path hands over the bytes, which no packet decoder accepts; aiortc's own trips over them."""
    attack.packet(attack.data(1, b"\xff\xfe", kind=WEBRTC_STRING))
    await until(lambda: attack.victim.messages or attack.victim.ends, 5, "nothing happens")
    assert attack.victim.messages == [(b"\xff\xfe", True)] or attack.victim.ends == [LinkEnd.FAILED]


async def test_a_shutdown_ends_the_link(attack: Attack) -> None:
    attack.packet(ShutdownChunk())
    assert await attack.victim.has_ended(5) is LinkEnd.REMOTE


async def test_a_wrong_tag_is_dropped(attack: Attack) -> None:
    attack.packet(attack.data(1), tag=12345)
    await attack.goes_on()
    assert attack.victim.messages == []


async def test_random_chunks_never_raise(attack: Attack) -> None:
    rng = random.Random(11)
    for _ in range(300):
        body = rng.randbytes(rng.randrange(40))
        kind = rng.choice([0, 2, 3, 4, 5, 7, 8, 9, 10, 11, 14, 130, 192, 77])
        attack.sctp.on_violation = lambda error: None  # go on where a link would end
        attack.packet(struct.pack("!BBH", kind, rng.randrange(256), 4 + len(body)) + body + bytes(-len(body) % 4))
    await until(lambda: attack.victim.ends or attack.first.is_open, 5, "undecided")


def test_gap_blocks() -> None:
    assert _gap_blocks([]) == []
    assert _gap_blocks([5, 2, 3, 9]) == [(2, 3), (5, 5), (9, 9)]
    assert len(_gap_blocks(range(2, 5000, 2))) == MAX_GAP_BLOCKS
    assert _gap_blocks(range(2, 5000)) == [(2, 4999)]
    assert _gap_blocks([65535, 65536]) == [(65535, 65535)], "a block has 16 bits"


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
@pytest.mark.parametrize("seed", range(3))
async def test_order_and_completeness_over_a_lossy_way(fast: bool, seed: int) -> None:
    """Our own marking of received TSNs and our own SACKs, where packets are lost and overtake one another."""
    rng = random.Random(seed)
    a, b = Recorder(), Recorder()
    first, second = memory_pair(a, b, LinkOptions(fast=fast))
    await a.is_open()
    await b.is_open()
    held: list[bytes] = []

    def lossy(link: MemorySession) -> Any:
        def drop(data: bytes) -> bool:
            if rng.random() < 0.02:
                return True
            if link is first and rng.random() < 0.05:
                held.append(data)  # overtaken by the next
                return True
            while held and link is first:
                second.datagram(held.pop())
            return False

        return drop

    first.drop, second.drop = lossy(first), lossy(second)
    bodies = [b"%d" % n * (1 + n % 400) for n in range(300)]
    for body in bodies:
        first.send(body, reliable=True)
    await b.has(len(bodies), 40)
    assert b.bodies(reliable=True) == bodies
    first.drop = second.drop = None
    await ended(first, second)


async def test_every_second_packet_is_acknowledged_and_a_lone_one_after_a_while() -> None:
    attack = Attack(fast=True)
    await attack.begin()
    sacks: list[bytes] = []
    attack.sctp._dtls.send_record = sacks.append
    attack.sctp._owed = 0
    last = attack.sctp._last_received_tsn
    for number in range(6):
        attack.packet(attack.data(1 + number - (attack.sctp._last_received_tsn - last)))
        await until(lambda: attack.sctp._last_received_tsn == last + number + 1, 5, "it came")  # noqa: B023  # awaited at once
    assert len(sacks) == 3
    attack.packet(attack.data(1))
    began = time.monotonic()
    await until(lambda: len(sacks) == 4, 5, "the lone packet is acknowledged")
    assert time.monotonic() - began <= SACK_DELAY_S + 1.0
    await ended(attack.first, attack.second)
