"""Options: one model names the flag, the variables, the type and the help of each setting."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import pytest
from pydantic import Field, SecretStr

from service.options import Option, flag_of, option_of, options_of
from service.settings import ServiceSettings, group


class Example(ServiceSettings):
    command: ClassVar[str] = "commserver"

    udp_port: int = Field(default=7, description="The port.", json_schema_extra=group("Network"))
    share: float | None = None
    bind: list[str] = Field(default_factory=lambda: ["0.0.0.0"])
    sizes: list[int] = Field(default_factory=list)
    hub: bool = False
    folder: Path | None = None
    key: SecretStr = SecretStr("not to be shown")
    policy: Literal["keep", "drop"] = "keep"
    needed: str


def option(name: str) -> Option:
    return option_of(Example, name)


def test_an_option_says_where_it_can_be_set() -> None:
    port = option("udp_port")
    assert (port.flag, port.env, port.shared_env) == ("--udp-port", "RTCBROKER_COMMSERVER_UDP_PORT", "RTCBROKER_UDP_PORT")
    assert (port.default, port.description, port.group) == (7, "The port.", "Network")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("udp_port", int),
        ("share", float),
        ("bind", str),
        ("sizes", int),
        ("hub", bool),
        ("folder", Path),
        ("key", str),
        ("policy", str),
    ],
)
def test_the_type_is_that_of_one_value(name: str, expected: type) -> None:
    assert option(name).type is expected


def test_lists_and_switches_are_told() -> None:
    assert [o.name for o in options_of(Example) if o.is_list] == ["bind", "sizes"]
    assert [o.name for o in options_of(Example) if o.is_bool] == ["hub"]
    assert option("bind").default == ["0.0.0.0"]


def test_choices_are_listed() -> None:
    assert option("policy").choices == ("keep", "drop")
    assert option("udp_port").choices == ()


def test_the_default_of_a_secret_is_not_told() -> None:
    assert option("key").is_secret
    assert option("key").default is None


def test_a_required_option_has_no_default() -> None:
    assert option("needed").is_required
    assert option("needed").default is None
    assert not option("udp_port").is_required


def test_the_shared_options_come_first_and_all_say_what_they_are_for() -> None:
    names = [o.name for o in options_of(Example)]
    assert names[0] == "auth"
    assert names[-1] == "needed"
    assert all(o.description and o.group for o in options_of(ServiceSettings))


def test_flags_have_hyphens() -> None:
    assert flag_of("a_b_c") == "--a-b-c"
