"""deploy/systemd/*.d: drop-ins by which processes get further secrets, which root alone can read on disk."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from commserver.settings import CommServerSettings
from coordinator.settings import CoordinatorSettings
from service.settings import ServiceSettings, load, unknown_variables
from tests.support.deployment import DEPLOY

SYSTEMD = DEPLOY / "systemd"
UNITS: dict[str, type[ServiceSettings]] = {
    "rtcbroker-coordinator.service": CoordinatorSettings,
    "rtcbroker-commserver@.service": CommServerSettings,
}
unit = pytest.mark.parametrize("name", UNITS)


def in_force(path: Path) -> str:
    """With every # taken off that stands before a directive."""
    return re.sub(r"^#(?=\w+=)", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)


def drop_in(name: str) -> str:
    return in_force(SYSTEMD / f"{name}.d" / "secrets.conf")


def credentials(name: str) -> dict[str, str]:
    """Names, and the files they are copied from."""
    return dict(re.findall(r"^LoadCredential=([\w-]+):(\S+)$", drop_in(name), re.MULTILINE))


@unit
def test_nothing_is_in_force_as_it_is_installed(name: str) -> None:
    """A credential whose file is not there would stop the start."""
    text = (SYSTEMD / f"{name}.d" / "secrets.conf").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line and not line.startswith("#")] == ["[Service]"]


@unit
def test_each_goes_before_the_path_of_the_sample_configuration(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So both may stand there, and what the process reads is the copy."""
    model, copies = UNITS[name], tmp_path / "credentials"
    copies.mkdir()
    variables = dict(re.findall(r"^Environment=(\w+)=(\S+)$", drop_in(name), re.MULTILINE))
    assert {value.removeprefix("%d/") for value in variables.values()} == credentials(name).keys()
    sample = tomllib.loads(re.sub(r"^#(?=\w+ = )", "", (DEPLOY / "config.sample.toml").read_text(encoding="utf-8"), flags=re.M))
    config = tmp_path / "config.toml"
    lines = []
    for variable, value in variables.items():
        option = variable.removeprefix(f"RTCBROKER_{model.command.upper()}_").lower()
        credential = value.removeprefix("%d/")
        assert sample[model.command][option] == credentials(name)[credential]
        lines.append(f'{option} = "{sample[model.command][option]}"\n')
        (copies / credential).write_text("a secret")
        monkeypatch.setenv(variable, value.replace("%d", str(copies)))
    if model is CoordinatorSettings:
        lines += ['tls_cert = "/etc/rtcbroker/fullchain.pem"\n', 'ice_servers = ["turn:turn.example.com"]\n']
    config.write_text(f"[{model.command}]\n" + "".join(lines))
    monkeypatch.setenv("RTCBROKER_CONFIG", str(config))
    assert unknown_variables(model) == []
    settings = load(model, {"auth_secret": "a secret of thirty-two bytes and a few more"})
    for variable in variables:
        option = variable.removeprefix(f"RTCBROKER_{model.command.upper()}_").lower()
        assert getattr(settings, option).parent == copies


@pytest.mark.needs("systemd-analyze")
@unit
def test_systemd_reads_them_with_the_unit_without_a_word(name: str, tmp_path: Path) -> None:
    program = str(Path(sys.executable).with_name("rtcbroker"))
    copy = tmp_path / name.replace("@", "@a")
    copy.write_text(
        (SYSTEMD / name).read_text(encoding="utf-8").replace("/opt/rtcbroker/bin/rtcbroker", program), encoding="utf-8"
    )
    folder = tmp_path / f"{copy.name}.d"
    folder.mkdir()
    (folder / "secrets.conf").write_text(drop_in(name), encoding="utf-8")
    said = systemd_analyze(copy)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")
    (folder / "secrets.conf").write_text("[Service]\nLoadCredentials=x:/y\n", encoding="utf-8")
    assert "LoadCredentials" in systemd_analyze(copy).stderr, "it does look at drop-ins"


def systemd_analyze(copy: Path) -> subprocess.CompletedProcess[str]:
    """`verify`, with what it says."""
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(copy)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=50)
