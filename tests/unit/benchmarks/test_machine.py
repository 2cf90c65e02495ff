"""Where it was measured."""

from __future__ import annotations

from benchmarks.machine import commit, machine, versions


def test_what_figures_need_beside_them() -> None:
    about = machine()
    assert about["cpu"]
    assert about["cores"] >= 1
    assert about["python"].startswith(("CPython 3", "PyPy"))
    assert len(about["load_average"]) == 3
    assert versions()["aiortc"]
    assert set(commit()) == {"id", "changed"}
