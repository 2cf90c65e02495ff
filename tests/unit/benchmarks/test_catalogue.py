"""What is run: command lines that exist, and figures that can be had."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from benchmarks.catalogue import DRIVEN, GROUPS_OF, GROWTH, LOADS, NAMES, WANTED, Load, chosen
from rtcbroker.cli import main
from simulation import app
from simulation.core.options import RunOptions

ALL = [*(load.name for load in LOADS), *DRIVEN]


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.name)
def test_every_load_is_a_command_that_exists(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[RunOptions] = []

    async def simulate(options: RunOptions, *_: object) -> int:
        asked.append(options)
        return 0

    monkeypatch.setattr(app, "simulate", simulate)
    monkeypatch.setattr("service.logs.configure", lambda *_: None)
    result = CliRunner().invoke(main, ["simulate", *load.arguments(7.0)])
    assert result.exit_code == 0, result.output
    (found,) = asked
    scenario = found.scenario("run")
    assert (found.spawn, found.hz, found.size, found.max_loss) == (load.servers, load.hz, 26, 0.001)
    assert (len(scenario.plans), scenario.seconds) == (load.clients, 7.0)


def test_packets() -> None:
    assert Load("x", "dense", 45, hz=10.0).packets(2.0) == 900


def test_every_scenario_gives_a_figure_or_is_compared_with() -> None:
    used = {wanted.scenario for wanted in WANTED} | {wanted.relative_to for wanted in WANTED}
    assert used - {None} == set(ALL)
    assert len({(wanted.scenario, wanted.label) for wanted in WANTED}) == len(WANTED)


def test_a_choice_brings_what_it_is_compared_with() -> None:
    assert chosen([]) == ALL
    assert chosen(["lone"]) == ["lone"]
    assert chosen(["linked", "joins"]) == ["dense150", "linked", "joins"]
    assert chosen(["groups"]) == ["groups", "groups0"]
    assert set(chosen(["growth"])) == set(GROWTH)
    assert {name for name in NAMES if not chosen([name])} == set()
    assert set(GROUPS_OF) <= set(NAMES)
