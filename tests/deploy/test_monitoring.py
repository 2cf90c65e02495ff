"""Alerts and board: right to Prometheus, tested as series of samples, and on metrics and labels that docs/metrics.md promises."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from protocol.codes import Code
from tests.support.deployment import DEPLOY, ROOT, Tools

PROMETHEUS = DEPLOY / "prometheus"
BOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "dashboards" / "rtcbroker.json").read_text(encoding="utf-8"))
OWN_OF_PROMETHEUS = {"up": {"job", "instance"}}
ADDED_BY_SCRAPING = {"job", "instance", "le"}


def documented() -> dict[str, set[str]]:
    """Labels by the name of the sample, of every metric in docs/metrics.md."""
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    found = dict(OWN_OF_PROMETHEUS)
    for name, kind, labels in re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", text, re.MULTILINE):
        of_it = set(re.findall(r"`(\w+)`", labels))
        found[name] = of_it
        if kind == "histogram":
            found.update({f"{name}_{part}": of_it for part in ("bucket", "sum", "count")})
    assert len(found) > 40
    return found


def problems(expression: str, known: dict[str, set[str]]) -> list[str]:
    """What an expression asks for that nobody has."""
    plain = re.sub(r'"[^"]*"', '""', expression)
    found = []
    for name, _, matchers in re.findall(r"\b((?:rtcbroker|process|up)\w*)\b(\{([^}]*)\})?", plain):
        if name not in known:
            found.append(f"no metric {name}")
            continue
        wanted = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        found += [f"{name} has no label {label}" for label in wanted - known[name] - ADDED_BY_SCRAPING]
    return found if re.search(r"\b(rtcbroker|process|up)", plain) else ["asks for nothing"]


def promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=PROMETHEUS, check=False, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr


def expressions(board: dict[str, Any]) -> dict[str, list[str]]:
    """Of each panel that has some."""
    return {
        panel["title"]: [target["expr"] for target in panel["targets"]] for panel in board["panels"] if panel["type"] != "row"
    }


@pytest.mark.needs("promtool")
def test_the_scrape_configuration_and_the_rules_are_right_to_prometheus() -> None:
    promtool("check", "config", "prometheus.yml")


@pytest.mark.needs("promtool")
def test_every_alert_fires_when_it_should_and_only_then() -> None:
    promtool("test", "rules", "rules.test.yml")


def test_every_alert_is_tested_both_ways_and_explained(tools: Tools) -> None:
    (rules,) = tools.yaml((PROMETHEUS / "rules.yml").read_text(encoding="utf-8"))
    (tests,) = tools.yaml((PROMETHEUS / "rules.test.yml").read_text(encoding="utf-8"))
    cases = [case for test in tests["tests"] for case in test["alert_rule_test"]]
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    names = [rule["alert"] for group in rules["groups"] for rule in group["rules"]]
    assert len(names) == len(set(names)) > 10
    for name in names:
        assert {bool(case["exp_alerts"]) for case in cases if case["alertname"] == name} == {True, False}, name
        assert f"`{name}`" in page, f"docs/operations.md does not say what to do about {name}"


def test_alerts_are_on_metrics_that_exist(tools: Tools) -> None:
    (rules,) = tools.yaml((PROMETHEUS / "rules.yml").read_text(encoding="utf-8"))
    known = documented()
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        assert problems(rule["expr"], known) == [], rule["alert"]


@pytest.mark.parametrize("title", expressions(BOARD))
def test_every_panel_says_whose_metrics_it_shows(title: str) -> None:
    """Coordinators and comm servers have metrics of the same name."""
    for expression in expressions(BOARD)[title]:
        for matchers in re.findall(r"\b(?:rtcbroker|process|up)\w*\b(?:\{([^}]*)\})?", re.sub(r'"[^"]*"', '""', expression)):
            assert re.search(r"\bjob\s*=", matchers), expression


@pytest.mark.parametrize("title", expressions(BOARD))
def test_a_panel_is_on_metrics_that_exist(title: str) -> None:
    known = documented()
    for expression in expressions(BOARD)[title]:
        assert problems(expression, known) == []


@pytest.mark.needs("promtool")
def test_every_expression_of_the_board_is_one(tmp_path: Path) -> None:
    every = [expression for each in expressions(BOARD).values() for expression in each]
    rules = [
        {"record": f"board:panel{number}", "expr": text.replace("$__rate_interval", "1m")} for number, text in enumerate(every)
    ]
    file = tmp_path / "board.yml"
    file.write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}), encoding="utf-8")  # JSON is YAML
    promtool("check", "rules", str(file))


def test_the_board_holds_together() -> None:
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(taken)) == len(taken)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
    variables = {f"${{{each['name']}}}" for each in BOARD["templating"]["list"]}
    assert {panel["datasource"]["uid"] for panel in panels if panel["type"] != "row"} <= variables


def test_the_board_is_provisioned_on_the_source_that_is(tools: Tools) -> None:
    folder = DEPLOY / "grafana" / "provisioning"
    (sources,) = tools.yaml((folder / "datasources" / "prometheus.yml").read_text(encoding="utf-8"))
    assert [source["type"] for source in sources["datasources"]] == ["prometheus"]
    (boards,) = tools.yaml((folder / "dashboards" / "rtcbroker.yml").read_text(encoding="utf-8"))
    assert [provider["options"]["path"] for provider in boards["providers"]] == ["/etc/grafana/dashboards"]


def test_what_does_not_exist_is_seen() -> None:
    known = documented()
    assert problems("rate(rtcbroker_no_such_total[1m])", known) == ["no metric rtcbroker_no_such_total"]
    assert problems('rtcbroker_peers{role="client", colour="red"}', known) == ["rtcbroker_peers has no label colour"]
    assert problems("1 + 1", known) == ["asks for nothing"]


def test_statuses_and_reasons_in_expressions_are_real(tools: Tools) -> None:
    text = (PROMETHEUS / "rules.yml").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    for reasons in re.findall(r'reason!?[=~]+"([^"]+)"', text):
        assert [reason for reason in reasons.split("|") if f"| `{reason}` |" not in page] == []
    for codes in re.findall(r'code[=~]+"([^"]+)"', text):
        assert all(code in {str(int(each)) for each in Code} | {each.name for each in Code} for code in codes.split("|"))
    for states in re.findall(r'state="(\w+)"', text):
        assert f"`{states}`" in page
