"""deploy/compose: valid by the Compose Specification, options that our processes take, secrets in files, and no door open by mistake."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from commserver.settings import CommServerSettings
from coordinator.settings import CoordinatorSettings
from rtcbroker.cli import main as command_line
from service.settings import ServiceSettings, load, unknown_variables
from tests.support.composition import ADDRESS, SITE, Composition, filled_in
from tests.support.deployment import DEPLOY, Tools
from tests.support.dockerfile import stages

IMAGE = stages((DEPLOY / "Dockerfile").read_text(encoding="utf-8"))[-1]
MODELS: dict[str, type[ServiceSettings]] = {"coordinator": CoordinatorSettings, "commserver": CommServerSettings}
AFTER_DRAIN_S = 5
"""What a comm server takes after --drain-seconds, at most."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tools: Tools) -> Composition:
    """Initialised once."""
    return Composition(tmp_path_factory.mktemp("compose"), tools)


def settings_of(made: Composition, service: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> ServiceSettings:
    """What a process of that service makes of its command line and environment, secrets being where they are on this machine."""
    command, *flags = service["command"]
    assert flags == []
    environment = {name: value for name, value in IMAGE.environment.items() if name.startswith("RTCBROKER_")}
    environment |= {name: str(value) for name, value in service["environment"].items()}
    for name, value in environment.items():
        monkeypatch.setenv(name, str(made.secret(value)) if value.startswith("/run/secrets/") else value)
    assert unknown_variables(MODELS[command]) == []
    return load(MODELS[command], {})


def test_the_cluster_is_the_one_that_is_promised(made: Composition) -> None:
    assert set(made.of("coordinator")) == {"coordinator-1", "coordinator-2"}
    assert set(made.of("commserver")) == {"commserver-1", "commserver-2", "commserver-3"}
    assert {"redis", "balancer", "coturn", "prometheus", "grafana", "simulation"} <= set(made.services)
    assert [name for name, service in made.services.items() if "profiles" in service] == ["simulation"]


def test_a_slip_of_the_pen_would_be_seen(made: Composition, tools: Tools) -> None:
    for right, wrong in (
        ("stop_grace_period: 40s", "stop_grace: 40s"),
        ("timeout: 3s", "timeout: 3 sec"),
        ("retries: 5", "retry: 5"),
    ):
        with pytest.raises(AssertionError, match="ValueError"):
            tools.query("compose", text=made.text.replace(right, wrong))


def test_without_init_nothing_starts() -> None:
    with pytest.raises(AssertionError, match=r"RTCBROKER_\w+ is not set: run ./init.sh first"):
        filled_in((DEPLOY / "compose" / "compose.yaml").read_text(encoding="utf-8"), {})


@pytest.mark.parametrize("name", ["coordinator-1", "coordinator-2"])
def test_a_coordinator_takes_its_options(made: Composition, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(made, made.services[name], monkeypatch)
    assert isinstance(settings, CoordinatorSettings)
    assert settings.auth == "token"
    assert settings.public_url == f"https://{SITE}"
    assert settings.backplane.get_secret_value() == "redis://redis:6379"
    assert settings.backplane_password_file == made.secret("redis-password")
    settings.core_config()  # with several, the proof of an alias must not be random: the secret of the tokens is there for it
    settings.ice()
    assert settings.ice_turn_secret_file == made.secret("turn-secret")
    (network,) = made.document["networks"]["edge"]["ipam"]["config"]
    assert settings.trusted_proxies == [network["subnet"]]


@pytest.mark.parametrize("name", ["commserver-1", "commserver-2", "commserver-3"])
def test_a_comm_server_takes_its_options_and_its_udp_port_is_published_as_it_is(
    made: Composition, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = made.services[name]
    settings = settings_of(made, service, monkeypatch)
    assert isinstance(settings, CommServerSettings)
    assert settings.auth == "token"
    assert settings.announce == [ADDRESS, "local"]
    assert service["ports"] == [f"{settings.udp_port}:{settings.udp_port}/udp"]
    assert settings.coordinator == "ws://coordinators:9090"
    grace = int(service["stop_grace_period"].removesuffix("s"))
    assert grace > settings.drain_seconds + AFTER_DRAIN_S


def test_comm_servers_find_every_coordinator_under_one_name(made: Composition) -> None:
    for service in made.of("coordinator").values():
        assert service["networks"]["inside"]["aliases"] == ["coordinators"]
    for service in made.of("commserver").values():
        assert "inside" in service["networks"]


def test_the_simulations_command_line_is_one(made: Composition) -> None:
    command, scenario, *flags = made.services["simulation"]["command"]
    simulate = command_line.get_command(None, command)  # type: ignore[arg-type]  # it needs no context
    chosen = simulate.commands[scenario]  # type: ignore[union-attr]  # a group, as its name says
    parsed = chosen.make_context(scenario, flags).params
    assert parsed["url"] == "ws://coordinators:9090"
    assert str(parsed["auth_secret_file"]) == "/run/secrets/auth-secret"


def test_only_these_doors_are_open(made: Composition) -> None:
    published = {port for service in made.services.values() for port in service.get("ports", [])}
    inward = {port for port in published if port.startswith("127.0.0.1:")}
    assert inward == {"127.0.0.1:3000:3000", "127.0.0.1:9099:9090"}
    assert published - inward == {
        *("80:80", "443:443", "443:443/udp"),
        *(f"{port}:{port}/udp" for port in (7001, 7002, 7003)),
        *("3478:3478", "3478:3478/udp", "49160-49259:49160-49259/udp"),
    }
    assert made.document["networks"]["inside"]["internal"] is True
    assert made.services["redis"]["networks"] == ["inside"]


def test_every_container_has_no_more_rights_than_it_needs(made: Composition) -> None:
    for name, service in made.services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "network_mode", "pid", "devices"} & service.keys(), name
        assert re.search(r":[^:]*[\d]|:local$", service["image"]), f"{name}: an image without a version"
        assert not any("docker.sock" in volume for volume in service.get("volumes", []))
    for command in ("coordinator", "commserver", "simulate"):
        assert all(service["read_only"] and service["tmpfs"] == ["/tmp"] for service in made.of(command).values())


def test_no_secret_stands_in_the_file_or_the_environment(made: Composition) -> None:
    secrets = {path.read_text(encoding="utf-8").strip() for path in (made.folder / "secrets").iterdir()}
    assert len(secrets) == 6
    assert not [secret for secret in secrets if secret in made.text]
    for service in made.services.values():
        used = re.findall(r"/run/secrets/([\w-]+)", str(service))
        assert set(used) <= set(service.get("secrets", [])) <= set(made.document["secrets"])
    for path in map(made.secret, made.document["secrets"]):
        assert path.is_file()


def test_init_makes_secrets_once_and_keeps_strangers_away(made: Composition) -> None:
    folder = made.folder / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    before = {path.name: (path.read_bytes(), path.stat().st_mode & 0o777) for path in folder.iterdir()}
    assert {mode for _, mode in before.values()} == {0o444}
    assert len({content for content, _ in before.values()}) == len(before)
    again = made.init(ADDRESS)
    assert (again.returncode, again.stderr) == (0, "")
    assert "init: ready for:" in again.stdout
    assert {path.name: (path.read_bytes(), path.stat().st_mode & 0o777) for path in folder.iterdir()} == before
    assert made.variables() == {"RTCBROKER_ANNOUNCE": ADDRESS, "RTCBROKER_SITE": SITE}


def test_init_says_what_it_keeps_and_how_to_change_it(tools: Tools, tmp_path: Path) -> None:
    own = Composition(tmp_path, tools)
    secrets = {path.name: path.read_bytes() for path in (own.folder / "secrets").iterdir()}
    done = own.init("198.51.100.1", "new.example.com")
    assert done.returncode == 0
    assert f"kept .env, with RTCBROKER_ANNOUNCE={ADDRESS}, not 198.51.100.1" in done.stderr
    assert f"kept .env, with RTCBROKER_SITE={SITE}, not new.example.com" in done.stderr
    assert "init: ready, with what was there, for:" in done.stdout
    assert own.variables() == {"RTCBROKER_ANNOUNCE": ADDRESS, "RTCBROKER_SITE": SITE}

    (told,) = re.findall(r"to change that: rm (.+), and the same command again", done.stderr)
    for name in told.split():
        (own.folder / name).unlink()
    assert own.init("198.51.100.1", "new.example.com").stderr == ""
    assert own.variables() == {"RTCBROKER_ANNOUNCE": "198.51.100.1", "RTCBROKER_SITE": "new.example.com"}
    now = {path.name: path.read_bytes() for path in (own.folder / "secrets").iterdir()}
    assert {name for name in secrets if now[name] != secrets[name]} == {"turnserver.conf"}
    assert b"198.51.100.1" in now["turnserver.conf"]


@pytest.mark.parametrize("arguments", [[], ["here"], ["127.0.0.1"], ["203.0.113.7", "no name"], ["2001:db8::7"]])
def test_init_refuses_what_would_not_work(made: Composition, arguments: list[str]) -> None:
    done = made.init(*arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("init: ")


def test_prometheus_asks_every_process_of_ours(made: Composition, tools: Tools) -> None:
    (configuration,) = tools.yaml((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    targets = {
        job["job_name"]: {target for group in job["static_configs"] for target in group["targets"]}
        for job in configuration["scrape_configs"]
    }
    assert targets == {
        "rtcbroker-coordinator": {f"{name}:9090" for name in made.of("coordinator")},
        "rtcbroker-commserver": {f"{name}:9091" for name in made.of("commserver")},
    }
    for service in (*made.of("coordinator").values(), *made.of("commserver").values()):
        assert set(made.services["prometheus"]["networks"]) & set(service["networks"])


def test_mounted_files_exist(made: Composition) -> None:
    for service in made.services.values():
        for source in (volume.split(":")[0] for volume in service.get("volumes", [])):
            assert (made.folder / source).exists() if source.startswith(".") else source in made.document["volumes"]


def test_the_turn_servers_example_is_the_documented_one() -> None:
    page = (DEPLOY.parent / "docs" / "ice.md").read_text(encoding="utf-8")
    block = next(block for block in page.split("```")[1::2] if block.startswith("ini\n")).splitlines()[2:]
    example = (DEPLOY / "coturn" / "turnserver.conf").read_text(encoding="utf-8").splitlines()
    assert example[-len(block) :] == block


@pytest.mark.needs("turnserver")
def test_coturn_takes_the_file_that_init_makes(made: Composition, tmp_path: Path) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    log = tmp_path / "log"
    options = ["--listening-ip=127.0.0.1", f"--listening-port={port}", "--log-file=stdout", f"--pidfile={tmp_path / 'pid'}"]
    command = ["turnserver", "-c", str(made.secret("turnserver-conf")), *options, f"--userdb={tmp_path / 'turndb'}"]
    with log.open("wb") as output, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as process:
        try:
            deadline = time.monotonic() + 15
            while not _listens(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
        finally:
            process.terminate()
    assert "unrecognized" not in log.read_text().lower()
    assert "bad configuration" not in log.read_text().lower()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
    except OSError:
        time.sleep(0.05)
        return False
    return True
