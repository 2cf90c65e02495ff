"""What is built for browsers is installed with the package."""

from __future__ import annotations

import glob
import tomllib
from pathlib import Path

from coordinator.io.pages import STATIC, Asset

ROOT = Path(__file__).resolve().parents[4]


def test_every_file_goes_into_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    package = ROOT / "coordinator"
    packed = {
        package / name
        for pattern in project["tool"]["setuptools"]["package-data"]["coordinator"]
        for name in glob.glob(pattern, root_dir=package, recursive=True)
    }
    assert package / "static" == STATIC
    assert {path for path in STATIC.rglob("*") if path.is_file()} <= packed


def test_the_same_content_has_the_same_tag() -> None:
    assert Asset.of("a.js", b"x" * 1_000) == Asset.of("b.js", b"x" * 1_000)
    assert Asset.of("a.js", b"x").tag != Asset.of("a.js", b"y").tag


def test_a_file_is_zipped_where_that_is_worthwhile() -> None:
    long = Asset.of("a.css", b"x" * 1_000)
    assert long.zipped is not None
    assert len(long.zipped) < 100
    assert Asset.of("a.css", b"x").zipped is None
    assert Asset.of("a.css", b"").zipped is None
