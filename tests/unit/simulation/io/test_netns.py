"""What is in the way of network namespaces is named."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from simulation.io import netns


def test_only_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert netns.missing() == "network namespaces: they need Linux"


def test_only_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert netns.missing() == "root: only root may make network namespaces"


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda command: f"/bin/{command}")


def test_commands(monkeypatch: pytest.MonkeyPatch, as_root: None) -> None:
    monkeypatch.setattr(shutil, "which", lambda command: None if command in ("ip", "tc") else "/bin/true")
    assert netns.missing() == "the commands ip, tc (Debian: iproute2, util-linux)"


def test_the_right_to_make_them(monkeypatch: pytest.MonkeyPatch, as_root: None) -> None:
    monkeypatch.setattr(netns, "_succeeds", lambda *command: False)
    assert netns.missing() is not None
    assert "unshare --net is refused" in str(netns.missing())


@pytest.mark.parametrize(
    ("netem", "tun", "possible"), [(True, True, True), (True, False, True), (False, True, True), (False, False, False)]
)
def test_one_of_two_ways_to_impair(
    monkeypatch: pytest.MonkeyPatch, as_root: None, netem: bool, tun: bool, possible: bool
) -> None:
    monkeypatch.setattr(netns, "_succeeds", lambda *command: True)
    monkeypatch.setattr(netns, "has_netem", lambda: netem)
    monkeypatch.setattr(netns, "TUN", Path("/dev/null" if tun else "/nowhere"))
    assert (netns.missing() is None) is possible
