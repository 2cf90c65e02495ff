"""`rtcbroker dev-cert` writes a pair that a coordinator can use, and never over another one."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509

from rtcbroker.cli import main


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["dev-cert", *arguments], terminal_width=400)


def names_in(path: Path) -> list[str]:
    made = x509.load_pem_x509_certificate(path.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "box")


def test_a_pair_for_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke()
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cert.pem", "key.pem"]
    assert names_in(tmp_path / "cert.pem") == ["localhost", "127.0.0.1", "::1", "box"]
    ends = x509.load_pem_x509_certificate((tmp_path / "cert.pem").read_bytes()).not_valid_after_utc
    assert abs(ends - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=1)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")


def test_only_its_owner_can_read_the_key(tmp_path: Path) -> None:
    assert invoke("--out", str(tmp_path)).exit_code == 0
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "cert.pem").stat().st_mode & 0o444


def test_where_and_for_whom_and_how_long_may_be_said(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "tls"
    result = invoke("--out", str(out), "--name", "rtc.example.com", "--name", "192.0.2.7", "--days", "1")
    assert result.exit_code == 0, result.output
    assert names_in(out / "cert.pem") == ["rtc.example.com", "192.0.2.7", "localhost", "127.0.0.1", "::1", "box"]
    assert "good for 1 day, for rtc.example.com, 192.0.2.7, localhost" in result.output


@pytest.mark.parametrize(
    ("name", "address"), [("rtc.example.com", "rtc.example.com"), ("2001:db8::7", "[2001:db8::7]"), ("*.lan", "localhost")]
)
def test_it_tells_what_to_do_with_them(tmp_path: Path, name: str, address: str) -> None:
    text = invoke("--out", str(tmp_path), "--name", name).output
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    assert f"rtcbroker coordinator --tls-cert {cert} --tls-key {key}\n" in text
    assert f"rtcbroker commserver --coordinator wss://{address}:9090 --ca-file {cert}\n" in text
    assert f'Client("wss://{address}:9090", ssl=ssl.create_default_context(cafile="{cert}"))' in text
    assert f"browser has to be told as well: open https://{address}:9090" in text
    assert "PRIVATE KEY" not in text


@pytest.mark.parametrize("there", [["cert.pem"], ["key.pem"], ["cert.pem", "key.pem"]])
def test_nothing_that_is_there_is_replaced_unasked(tmp_path: Path, there: list[str]) -> None:
    for name in there:
        (tmp_path / name).write_text("precious")
    result = invoke("--out", str(tmp_path))
    assert result.exit_code == 2
    assert "there already; --force replaces them" in result.output
    assert all(str(tmp_path / name) in result.output for name in there)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(there, "precious")
    assert invoke("--out", str(tmp_path), "--force").exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cert.pem", "key.pem"]
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")


def test_a_key_that_others_could_read_is_replaced_by_one_that_they_cannot(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("old")
    (tmp_path / "key.pem").chmod(0o644)
    assert invoke("--out", str(tmp_path), "--force").exit_code == 0
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--name", "https://x"], "rtcbroker dev-cert: --name 'https://x': is neither a host name nor an IP address"),
        (["--days", "0"], "--days"),
        (["--days", "826"], "--days"),
        (["--out", "/dev/null/x"], "rtcbroker dev-cert: --out /dev/null/x: cannot be written to (Not a directory)"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert said in result.output
    assert list(tmp_path.iterdir()) == []


def test_options_may_come_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "rtcbroker.toml"
    config.write_text('[dev_cert]\nnames = ["a.lan"]\ndays = 2\n')
    monkeypatch.setenv("RTCBROKER_DEV_CERT_OUT", str(tmp_path / "out"))
    result = invoke("--config", str(config))
    assert result.exit_code == 0, result.output
    assert names_in(tmp_path / "out" / "cert.pem")[0] == "a.lan"
    assert "good for 2 days" in result.output
