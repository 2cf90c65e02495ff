"""The table of states, and the one way to change them."""

from __future__ import annotations

import logging

import pytest

from rtcbroker.core.states import TRANSITIONS, ClientState, Lifecycle


def test_every_state_is_in_the_table_and_can_be_closed() -> None:
    assert set(TRANSITIONS) == set(ClientState)
    for state in set(ClientState) - {ClientState.CLOSED}:
        assert ClientState.CLOSED in TRANSITIONS[state]
    assert not TRANSITIONS[ClientState.CLOSED]


def test_a_change_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    life = Lifecycle()
    with caplog.at_level(logging.INFO):
        assert life.to(ClientState.CONNECTING, "connect", alias=7)
        assert not life.to(ClientState.CONNECTING, "again", alias=7)
    assert [record.message for record in caplog.records] == ["client 7: new -> connecting (connect)"]
    assert life.state is ClientState.CONNECTING


def test_a_change_outside_the_table_is_a_fault_of_ours() -> None:
    life = Lifecycle()
    with pytest.raises(RuntimeError, match="from new to connected"):
        life.to(ClientState.CONNECTED, "", alias=0)
    assert life.state is ClientState.NEW
