"""Options become a run; those that do not go together are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from rtcbroker.cli import main, run_options
from simulation import app
from simulation.core.impairment import Impairment
from simulation.core.kills import Kill
from simulation.core.messages import Credentials
from simulation.core.options import RunOptions
from simulation.core.payload import MAX_BODY_BYTES, MIN_BODY_BYTES
from tests.support.certificates import put_pair

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[RunOptions]:
    asked: list[RunOptions] = []

    async def simulate(options: RunOptions, out: Console, progress: Console) -> int:
        asked.append(options)
        return 0

    monkeypatch.setattr(app, "simulate", simulate)
    monkeypatch.setattr("service.logs.configure", lambda *_: None)
    return asked


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["simulate", *arguments], terminal_width=400)


def one(runs: list[RunOptions], *arguments: str) -> RunOptions:
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    (found,) = runs
    return found


def test_dense(runs: list[RunOptions]) -> None:
    found = one(
        runs, "dense", "--spawn", "3", "--clients", "7", "--seconds", "4", "--warmup", "500ms", "--hz", "20", "--size", "99"
    )
    assert (found.spawn, found.url, found.hz, found.size, found.reliable, found.max_loss) == (3, None, 20.0, 99, False, 0.001)
    assert (found.workers, found.prefix, found.connect_timeout_s, found.json, found.plot) == (None, "sim", 15.0, None, None)
    scenario = found.scenario("run")
    assert (scenario.name, len(scenario.plans), scenario.seconds, scenario.warmup_s) == ("dense", 7, 4.0, 0.5)


def test_a_star(runs: list[RunOptions]) -> None:
    assert one(runs, "dense", "--spawn", "3", "--hubs", "2").hubs == 2
    for target in (("--spawn", "1"), ("--url", "ws://localhost:9090", "--token", "x")):
        result = invoke("dense", *target, "--hubs", "2")
        assert result.exit_code == 2
        assert "--hubs 2: only with --spawn, and at most as many as that starts" in result.output


def test_several_coordinators_and_what_is_to_be_killed(runs: list[RunOptions]) -> None:
    kills = ("--kill", "server/2@4", "--kill", "coordinator/1@2.5s", "--kill", "redis@3")
    found = one(runs, "dense", "--spawn", "3", "--coordinators", "2", *kills, "--revive", "1500ms", "--max-outage", "3s")
    assert (found.coordinators, found.revive_s, found.max_outage_s) == (2, 1.5, 3.0)
    assert found.kills == [Kill("coordinator/1", 2.5), Kill("redis", 3.0), Kill("server/2", 4.0)]


def test_a_bad_network(runs: list[RunOptions]) -> None:
    found = one(runs, "dense", "--spawn", "1", "--impair", "loss=2%,delay=80ms", "--max-loss", "1%")
    assert found.impairment == Impairment(loss=0.02, delay_s=0.08)
    assert found.allowed_loss == pytest.approx(0.01 + 1.5 * 0.0396)
    assert replace(found, reliable=True).allowed_loss == replace(found, impairment=None).allowed_loss == 0.01
    result = invoke("dense", "--spawn", "1", "--impair", "loss=2")
    assert (result.exit_code, len(runs)) == (2, 1)
    assert "--impair 'loss=2': a share from 0 to 1" in result.output


def test_groups(runs: list[RunOptions]) -> None:
    scenario = one(runs, "groups", "--spawn", "1", "--clients", "6", "--groups", "3", "--reliable").scenario("run")
    assert runs[0].reliable
    assert len({plan.route.at(0).topic for plan in scenario.plans}) == 3


def test_churn(runs: list[RunOptions]) -> None:
    scenario = one(runs, "churn", "--spawn", "1", "--arrivals", "3", "--stay", "2s", "--seconds", "5", "--seed", "4").scenario(
        "run"
    )
    assert sum(plan.joins_at is None for plan in scenario.plans) == 6


def test_replay_of_a_file(runs: list[RunOptions], tmp_path: Path) -> None:
    path = tmp_path / "walk.csv"
    path.write_text("t_s,person,x_m,y_m\n0,a,0,0\n4,a,1,0\n")
    scenario = one(runs, "replay", str(path), "--spawn", "1", "--speed", "2", "--cell", "0.5").scenario("run")
    assert (len(scenario.plans), scenario.seconds) == (1, 2.0)
    assert scenario.plans[0].route.at(2.0).topic == "run/cell/2/0"


def test_replay_without_a_file_plays_the_one_that_comes_with_the_project(runs: list[RunOptions]) -> None:
    assert len(one(runs, "replay", "--spawn", "1").scenario("run").plans) == 36


def test_servers_and_clients_of_another_kind(runs: list[RunOptions]) -> None:
    found = one(
        runs, "dense", "--spawn", "1", "--old-peers", "--server-option", "coalesce_window=0", "--server-option", "hub=yes"
    )
    assert found.old_peers
    assert found.server_options == ["--coalesce-window", "0.0", "--hub"]


def test_results(runs: list[RunOptions], tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("r.json", "r.png")]
    found = one(runs, "dense", "--spawn", "1", "--json", paths[0], "--plot", paths[1], "--max-loss", "1%", "--workers", "2")
    assert (str(found.json), str(found.plot), found.max_loss, found.workers) == (*paths, 0.01, 2)


@pytest.mark.parametrize(
    ("arguments", "credentials"),
    [
        ([], Credentials()),
        (["--token", "abc"], Credentials(token="abc")),
        (["--secret", SECRET], Credentials(secret=SECRET)),
        (["--token", "abc", "--secret", SECRET], Credentials(token="abc")),
    ],
)
def test_an_existing_cluster(runs: list[RunOptions], arguments: list[str], credentials: Credentials) -> None:
    found = one(runs, "dense", "--url", "ws://localhost:9090", *arguments)
    assert (found.url, found.spawn) == ("ws://localhost:9090", 0)
    assert found.credentials == credentials


def test_a_token_in_a_file(runs: list[RunOptions], tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("abc\n")
    assert one(runs, "dense", "--url", "ws://x", "--token-file", str(path)).credentials == Credentials(token="abc")


def test_whom_to_trust_at_a_coordinator_with_tls(runs: list[RunOptions], tmp_path: Path) -> None:
    put_pair(tmp_path)
    path = tmp_path / "cert.pem"
    assert one(runs, "dense", "--url", "wss://x", "--ca-file", str(path)).ca_file == path


def test_the_clusters_secret_in_the_environment_does_not_disturb_one_that_is_started(
    runs: list[RunOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTCBROKER_AUTH_SECRET", SECRET)
    assert one(runs, "dense", "--spawn", "1").credentials == Credentials()


def test_environment_and_file(runs: list[RunOptions], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "rtcbroker.toml"
    path.write_text("[simulate]\nclients = 4\nspawn = 2\nhz = 5\narrivals = 1.5\n")
    monkeypatch.setenv("RTCBROKER_SIMULATE_HZ", "6")
    found = one(runs, "dense", "--config", str(path), "--spawn", "1")
    assert (found.spawn, found.hz, len(found.scenario("run").plans)) == (1, 6.0, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dense"], "rtcbroker simulate dense: --spawn, --url: give one of them"),
        (["dense", "--spawn", "1", "--url", "ws://x"], "--spawn, --url: give one of them"),
        (["dense", "--url", "localhost"], "--url 'localhost': is no URL of a coordinator, such as ws://localhost:9090"),
        (["dense", "--spawn", "1", "--token", "x"], "--token, --token-file: only with --url"),
        (["dense", "--url", "ws://x", "--token", "x", "--token-file", "y"], "--token and --token-file: give one of them"),
        (["dense", "--url", "ws://x", "--secret", "short"], "--secret: "),
        (["dense", "--spawn", "1", "--ca-file", "x"], "--ca-file: only with --url"),
        (["dense", "--url", "wss://x", "--ca-file", "/nowhere"], "--ca-file /nowhere: cannot be read"),
        (["dense", "--spawn", "1", "--prefix", "a b"], "--prefix 'a b': has white space"),
        (["dense", "--spawn", "1", "--size", "23"], "--size"),
        (["dense", "--spawn", "1", "--hz", "0"], "--hz"),
        (["dense", "--spawn", "1", "--server-option", "no=1"], "--server-option 'no=1': a comm server has no option no"),
        (["dense", "--url", "ws://x", "--server-option", "hub=yes"], "--server-option: only with --spawn"),
        (["dense", "--spawn", "0"], "--spawn"),
        (["dense", "--spawn", "1", "--kill", "server@1"], "--kill 'server@1': is not PROCESS@DURATION"),
        (
            ["dense", "--spawn", "1", "--kill", "redis@1"],
            "the cluster has no redis (there is one with --coordinators 2 and more)",
        ),
        (["dense", "--url", "ws://x", "--kill", "server/1@1"], "--kill: only with --spawn"),
        (["dense", "--url", "ws://x", "--coordinators", "2"], "--coordinators 2: only with --spawn"),
        (["dense", "--spawn", "1", "--revive", "1s"], "--revive: only with --kill"),
        (["dense", "--spawn", "1", "--max-outage", "0"], "--max-outage"),
        (["dense", "--spawn", "1", "--clients", "1"], "--clients"),
        (["replay", "gone.csv", "--spawn", "1"], "rtcbroker simulate: gone.csv: cannot be read"),
    ],
)
def test_what_is_wrong_is_named(runs: list[RunOptions], arguments: list[str], message: str) -> None:
    result = invoke(*arguments)
    assert (result.exit_code, runs) == (2, [])
    assert message in result.output
    assert "Traceback" not in result.output


def test_an_option_of_no_scenario_in_a_file_is_named(runs: list[RunOptions], tmp_path: Path) -> None:
    path = tmp_path / "rtcbroker.toml"
    path.write_text("[simulate]\nclient = 4\n")
    result = invoke("dense", "--config", str(path), "--spawn", "1")
    assert (result.exit_code, runs) == (2, [])
    assert "[simulate] client: no such option (did you mean clients?)" in result.output


def test_the_bounds_of_a_body_are_those_of_the_payload() -> None:
    assert (run_options.MIN_SIZE, run_options.MAX_SIZE) == (MIN_BODY_BYTES, MAX_BODY_BYTES)
