"""`rtcbroker drain` and `publish`: what they ask of the API, and how they tell what it answers."""

from __future__ import annotations

import base64
import io
import json
import time
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from protocol.errors import ConfigError
from protocol.keys import KeySet, secret_key
from protocol.tokens import TokenPolicy, TokenRole, verify
from rtcbroker.cli import main, operate
from rtcbroker.cli.operator import base_url

SECRET = "0123456789abcdef0123456789abcdef"


class Coordinator:
    """Answers what the test has put in line, or with an empty cluster."""

    def __init__(self) -> None:
        self.asked: list[urllib.request.Request] = []
        self.answers: list[Any] = []
        self.timeouts: list[float] = []

    def __call__(self, request: urllib.request.Request, timeout: float, context: object) -> io.BytesIO:
        self.asked.append(request)
        self.timeouts.append(timeout)
        answer = self.answers.pop(0) if self.answers else {"servers": [], "next": None, "server": "7"}
        if isinstance(answer, Exception):
            raise answer
        return io.BytesIO(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.data) for request in self.asked if isinstance(request.data, bytes)]


@pytest.fixture
def coordinator(monkeypatch: pytest.MonkeyPatch) -> Coordinator:
    made = Coordinator()
    monkeypatch.setattr(urllib.request, "urlopen", made)
    monkeypatch.setattr(operate, "POLL_S", 0.0)
    return made


def invoke(*arguments: str, data: bytes | None = None) -> Result:
    return CliRunner().invoke(main, list(arguments), input=data, terminal_width=400)


def problem(status: int, body: bytes) -> urllib.error.HTTPError:
    return urllib.error.HTTPError("http://x", status, "x", Message(), io.BytesIO(body))


# --------------------------------------------------------------------------------------------------------------- draining


def test_a_server_is_asked_to_drain(coordinator: Coordinator) -> None:
    result = invoke("drain", "7", "8", "--seconds", "30", "--token", "t")
    assert result.exit_code == 0, result.output
    assert result.output == "server 7 drains\nserver 8 drains\n"
    assert [request.full_url for request in coordinator.asked] == [
        "http://localhost:9090/api/v1/servers/7/drain",
        "http://localhost:9090/api/v1/servers/8/drain",
    ]
    assert coordinator.asked[0].get_header("Authorization") == "Bearer t"
    assert coordinator.bodies == [{"seconds": 30.0}] * 2
    assert coordinator.timeouts == [15.0] * 2


def test_the_time_may_be_left_to_the_server(coordinator: Coordinator) -> None:
    invoke("drain", "7", "--token", "t")
    assert coordinator.bodies == [{}]


def test_it_waits_until_the_server_is_gone(coordinator: Coordinator) -> None:
    here = {"servers": [{"alias": "5"}], "next": "5"}
    rest = {"servers": [{"alias": "7"}], "next": None}
    gone: dict[str, Any] = {"servers": [], "next": None}
    coordinator.answers = [{}, here, rest, here, gone]
    result = invoke("drain", "7", "--wait", "1m", "--token", "t")
    assert (result.exit_code, result.output) == (0, "server 7 drains\ngone: 7\n")
    assert coordinator.asked[2].full_url.endswith("/servers?limit=1000&after=5")


def test_it_does_not_wait_for_ever(coordinator: Coordinator) -> None:
    coordinator.answers = [{}, *[{"servers": [{"alias": "7"}], "next": None}] * 10_000]
    result = invoke("drain", "7", "--wait", "1ms", "--token", "t")
    assert result.exit_code == 1
    assert "rtcbroker drain: still there: 7" in result.output


@pytest.mark.parametrize("server", ["server-1", "-", "7/8", "٣", ""])
def test_what_is_no_alias_is_told_before_anything_is_asked(coordinator: Coordinator, server: str) -> None:
    result = invoke("drain", "7", "--token", "t", "--", server)
    assert result.exit_code == 2
    assert "is no alias of a server" in result.output
    assert coordinator.asked == []


# ------------------------------------------------------------------------------------------------------------- publishing


def test_a_text_is_published(coordinator: Coordinator) -> None:
    result = invoke("publish", "news", "hü", "--token", "t", "--identity")
    assert (result.exit_code, result.output) == (0, "handed to server 7\n")
    assert coordinator.bodies == [{"topic": "news", "reliable": True, "identity": True, "text": "hü"}]


def test_what_comes_in_is_published_as_it_is(coordinator: Coordinator) -> None:
    invoke("publish", "news", "--unreliable", "--token", "t", data=b"\x00\xff\n")
    encoded = base64.b64encode(b"\x00\xff\n").decode()
    assert coordinator.bodies == [{"topic": "news", "reliable": False, "identity": False, "base64": encoded}]


# ------------------------------------------------------------------------------------------------------- who asks, and whom


def test_a_token_is_signed_with_the_clusters_secret(coordinator: Coordinator, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    for arguments in (["--secret", SECRET], ["--secret-file", str(path)]):
        assert invoke("publish", "t", "x", *arguments).exit_code == 0
        header = coordinator.asked[-1].get_header("Authorization")
        assert header is not None
        claims = verify(header.removeprefix("Bearer "), TokenPolicy(KeySet([secret_key(SECRET)])), time.time())
        assert claims.role is TokenRole.ADMIN


def test_a_token_of_ones_own_counts_more_than_a_secret_of_the_environment(
    coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RTCBROKER_AUTH_SECRET", SECRET)
    path = tmp_path / "token"
    path.write_text("mine\n")
    invoke("publish", "t", "x", "--token-file", str(path))
    assert coordinator.asked[-1].get_header("Authorization") == "Bearer mine"
    monkeypatch.setenv("RTCBROKER_ADMIN_TOKEN", "theirs")
    assert invoke("publish", "t", "x", "--token-file", str(path)).exit_code == 2


def test_without_any_of_these_nothing_is_shown(coordinator: Coordinator) -> None:
    invoke("publish", "t", "x")
    assert coordinator.asked[-1].get_header("Authorization") is None


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://localhost:9090", "http://localhost:9090"),
        ("ws://[::1]:9090/", "http://[::1]:9090"),
        ("wss://broker.example.org", "https://broker.example.org"),
        ("https://example.org/rtc/", "https://example.org/rtc"),
    ],
)
def test_a_coordinator_is_named_as_peers_name_it(given: str, url: str) -> None:
    assert base_url(given) == url


@pytest.mark.parametrize(
    "given", ["localhost:9090", "", "ftp://a", "http://", "http://a:x", "http://u:p@a", "http://a?b=c", "http://[a"]
)
def test_what_is_no_coordinator(given: str) -> None:
    with pytest.raises(ConfigError, match="--coordinator"):
        base_url(given)


# -------------------------------------------------------------------------------------------------------- what is answered


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (problem(404, b'{"detail": "there is no server \'7\'"}'), "there is no server '7' (HTTP 404)"),
        (problem(404, b"404: Not Found"), "HTTP 404: is that the coordinator's port?"),
        (problem(502, b"[]"), "HTTP 502: is that the coordinator's port?"),
        (
            urllib.error.URLError(ConnectionRefusedError(111, "Connection refused")),
            "cannot be reached: [Errno 111] Connection refused",
        ),
        (TimeoutError("timed out"), "cannot be reached: timed out"),
        (b"<html>", "the answer is no JSON"),
    ],
)
def test_what_goes_wrong_is_one_line(coordinator: Coordinator, answer: Any, text: str) -> None:
    coordinator.answers = [answer]
    result = invoke("drain", "7", "--token", "secret-token")
    assert result.exit_code == 1
    assert result.output.startswith("rtcbroker drain: ")
    assert text in result.output
    assert result.output.count("\n") == 1
    assert "secret-token" not in result.output
