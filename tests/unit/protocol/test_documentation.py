"""docs/protocol.md says what the code says: every message, field, enum, code and limit, and its examples are real bytes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from protocol import keys, limits, signalling, tokens
from protocol.codes import Code
from protocol.packets import decode_packet
from protocol.pb import broker_pb2 as pb
from protocol.signalling import decode_signal
from protocol.topics import PatternSet
from tests.support.schema import ENUMS, MESSAGES, fields

PAGE = (Path(__file__).resolve().parents[3] / "docs/protocol.md").read_text(encoding="utf-8")


def table(*header: str) -> list[list[str]]:
    """The rows of every table of the page with this header."""
    rows: list[list[str]] = []
    inside = False
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")] if line.startswith("|") else []
        if cells == list(header):
            inside = True
        elif not cells:
            inside = False
        elif inside and not line.startswith("|--"):
            rows.append([*cells, *[""] * (len(header) - len(cells))])
    assert rows, f"no table with the header {header}"
    return rows


def constants() -> dict[str, float]:
    """Every limit of the package."""
    found = {name: value for name, value in vars(limits).items() if name.isupper() and name != "KIB"}
    for module, names in (
        (signalling, ["MAX_CANDIDATE_CHARS"]),
        (tokens, ["MAX_SUBJECT_BYTES", "MAX_GRANTS", "DEFAULT_LEEWAY_S"]),
        (keys, ["MIN_SECRET_BYTES", "MIN_RSA_BITS"]),
    ):
        found.update({name: getattr(module, name) for name in names})
    return found


def test_every_code_stands_in_it_with_its_verdict_and_reason() -> None:
    expected = [[str(int(code)), code.name, code.retry.value, code.reason] for code in Code]
    assert table("code", "name", "verdict", "reason") == expected


def test_every_limit_stands_in_it_with_its_value_and_reason() -> None:
    rows = table("limit", "value", "why")
    assert {name: float(value.replace(",", "")) for name, value, _ in rows} == constants()
    assert len(rows) == len(constants())
    assert all(why for *_, why in rows)


def test_limits_of_other_modules_are_not_forgotten() -> None:
    named = set(constants())
    for module in (signalling, tokens, keys):
        assert {name for name in vars(module) if re.match(r"(MAX|MIN)_", name)} <= named


def test_every_name_in_capitals_is_one_of_ours() -> None:
    names = set(re.findall(r"\b(?:MAX|MIN|OLD|ERRORS|UNRELIABLE|DEFAULT)_[A-Z_]+\b", PAGE))
    assert names <= set(constants())


def test_every_enum_stands_in_it() -> None:
    stated = {
        name.removesuffix(" (Part 2)"): {value: int(number) for value, number in re.findall(r"([A-Z_]+) (\d+)", values)}
        for name, values in table("enum", "values")
    }
    assert stated == ENUMS


def test_every_message_stands_in_it() -> None:
    stated: dict[str, dict[str, str]] = {}
    for name, _, text in table("message", "types", "fields"):
        stated[name] = {"type": "1 MessageType", **_fields(text)}
    for name, text in table("message", "fields"):
        stated[name] = _fields(text)
    assert stated == {name: fields(message) for name, message in MESSAGES.items()}


def _fields(text: str) -> dict[str, str]:
    return dict(re.findall(r"(\w+) (\d+ (?:repeated |optional )?\w+)", text))


def test_every_type_belongs_to_a_message() -> None:
    types = [kind for _, types, _ in table("message", "types", "fields") for kind in re.findall(r"[A-Z_]{4,}", types)]
    assert set(types) == set(ENUMS["MessageType"]) - {"UNKNOWN_MESSAGE_TYPE"}


def test_every_capability_is_explained() -> None:
    stated = {name for name, _ in table("capability", "the peer that offers it")}
    assert stated == set(ENUMS["Capability"]) - {"UNKNOWN_CAPABILITY"}


def test_every_pattern_matches_as_it_says() -> None:
    for pattern, matching, other in table("pattern", "matches", "does not match"):
        patterns = PatternSet(re.findall("`(.+?)`", pattern))
        assert all(topic in patterns for topic in re.findall("`(.+?)`", matching))
        assert not any(topic in patterns for topic in re.findall("`(.+?)`", other))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("08 02 18 07", pb.ConnectMessage(type=pb.CONNECT, to_alias=7)),
        ("08 01 10 05 1a 02 07 09", pb.WelcomeMessage(type=pb.WELCOME, alias=5, available_servers=[7, 9])),
        ("08 09 1a 01 74 22 02 68 69", pb.TopicMessage(type=pb.TOPIC, topic="t", body=b"hi")),
        ("08 0a 10 05 1a 02 68 69", pb.TopicFWMessage(type=pb.TOPIC_FW, from_alias=5, body=b"hi")),
    ],
)
def test_the_examples_are_real(data: str, message: object) -> None:
    assert f"`{data}`" in PAGE
    decode = decode_signal if isinstance(message, pb.ConnectMessage | pb.WelcomeMessage) else decode_packet
    assert decode(bytes.fromhex(data)) == message


def test_the_batch_is_real() -> None:
    block = next(block for block in PAGE.split("```")[1::2] if "08 65 " in block)
    lines = [re.match(r"\s*((?:[0-9a-f]{2}\s+)+)", line) for line in block.strip().splitlines()]
    data = bytes.fromhex("".join(line[1] for line in lines if line))
    group = pb.TopicGroup(topic="t", from_alias=[5, 300], body=[b"hi", b""])
    assert pb.TopicBatchMessage.FromString(data) == pb.TopicBatchMessage(type=pb.TOPIC_BATCH, groups=[group])


def test_its_links_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        if target.startswith("#"):
            assert target[1:] in anchors
        else:
            assert (Path(__file__).resolve().parents[3] / "docs" / target).exists()
