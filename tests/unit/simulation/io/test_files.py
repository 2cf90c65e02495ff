"""Files that are read and written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from protocol.errors import ConfigError
from simulation.core.trace import TraceError
from simulation.data.make_plaza import plaza
from simulation.io.files import PLAZA, check_writable, read_trace, write_json


def test_the_trace_that_comes_with_the_project_is_the_one_that_is_made() -> None:
    assert PLAZA.read_text().splitlines() == list(plaza())


def test_the_trace_that_comes_with_the_project_is_what_was_promised() -> None:
    trace = read_trace(PLAZA)
    assert 24 <= len(trace.tracks) <= 48
    assert 30 <= trace.seconds <= 50


def test_a_mark_of_byte_order_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "walk.csv"
    path.write_text("\ufefft_s,person,x_m,y_m\n0,a,1,2\n", encoding="utf-8")
    assert read_trace(path).tracks[0].person == "a"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"none\.csv: cannot be read \(No such file"):
        read_trace(tmp_path / "none.csv")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "walk.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TraceError, match=r"walk\.csv: is no text in UTF-8"):
        read_trace(path)


def test_a_place_that_cannot_be_written_is_known_before_the_run(tmp_path: Path) -> None:
    check_writable(None, "--json")
    check_writable(tmp_path / "result.json", "--json")
    with pytest.raises(ConfigError, match=r"^--json .*gone/result\.json: cannot be written"):
        check_writable(tmp_path / "gone" / "result.json", "--json")


def test_json_is_written(tmp_path: Path) -> None:
    write_json(tmp_path / "result.json", {"loss": 0.0})
    assert json.loads((tmp_path / "result.json").read_text()) == {"loss": 0.0}
