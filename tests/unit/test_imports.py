"""Imports go one way: the tree tells the architecture, and this test keeps it true."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.imports import Import, imports_below, imports_of

ROOT = Path(__file__).resolve().parents[2]

MAY_IMPORT: dict[str, frozenset[str]] = {
    "protocol": frozenset(),
    "service": frozenset({"protocol"}),
    "transport": frozenset({"protocol"}),
    "coordinator": frozenset({"protocol", "service"}),
    "commserver": frozenset({"protocol", "service", "transport"}),
    "rtcbroker": frozenset({"protocol", "service", "transport"}),
    "simulation": frozenset({"protocol", "service", "transport", "commserver", "rtcbroker"}),
}
"""Of our packages, which one may import which others. Tests, benchmarks, examples and scripts may import all of these."""

OUTSIDE = frozenset({"tests", "benchmarks", "examples", "scripts"})
"""Not installed, so never imported by a package that is."""

LATE = {
    ("rtcbroker.cli", target): "one command line starts every part by name, and loads only the part that was named"
    for target in ("coordinator", "commserver", "simulation")
}
"""(importer, package) that is allowed inside functions only, and why."""

EVENT_LOOP = frozenset({"asyncio", "uvloop", "threading", "multiprocessing", "concurrent", "subprocess", "signal"})
NETWORK = frozenset({"aiohttp", "aiortc", "aioice", "socket", "ssl", "select", "selectors"})

NOT_IN_CORE = EVENT_LOOP | NETWORK | {"time", "random", "secrets", "os"}
"""A core decides, it does not do: no event loop, network, process, clock or chance of its own (these are arguments)."""

TYPE_ONLY_IN_CORE = frozenset({"random"})
"""A core may name the type of what is passed in (`rng: random.Random`) below `if TYPE_CHECKING:`."""

NOT_IN_PROTOCOL = EVENT_LOOP | NETWORK | {"time"}
"""The contract is pure: bytes and values, no event loop, no network, no clock."""

ONLY_IN = {"aiortc": "transport", "aioice": "transport"}
"""Libraries that one package hides from all others."""

PARTS = frozenset({"coordinator.p2p"})
"""Packages inside a package, with the same layers of their own."""

IO_MAY_NOT = frozenset({"app", "__main__"})
APP_MAY_NOT = frozenset({"__main__"})


def package_problem(found: Import) -> str | None:
    """What is wrong with an import from one top-level package of another."""
    package, target = found.importer.split(".")[0], found.target.split(".")[0]
    if target in OUTSIDE:
        return f"{package} imports {target}, which is not installed with it"
    if target not in MAY_IMPORT or target == package or target in MAY_IMPORT[package]:
        return None
    if any(_within(found.importer, importer) and target == late for importer, late in LATE):
        return None if found.late else f"{found.importer} may import {target} inside a function only"
    return f"{package} may not import {target}"


def layer_problem(found: Import) -> str | None:
    """What is wrong with an import from one layer of a package of another: core <- io <- app <- __main__."""
    (package, layer), (target, target_layer) = _package_and_layer(found.importer), _package_and_layer(found.target)
    if package != target:
        return part_problem(layer, package, target, target_layer)
    if layer == "core" and target_layer != "core":
        return f"a core imports only itself, not {found.target}"
    forbidden = {"io": IO_MAY_NOT, "app": APP_MAY_NOT}.get(layer, frozenset())
    return f"{layer} may not import {target_layer}" if target_layer in forbidden else None


def part_problem(layer: str, package: str, target: str, target_layer: str) -> str | None:
    """What is wrong with an import between a package and one inside it: cores of the inner one may use those of the outer one."""
    if layer != "core" or package.split(".")[0] != target.split(".")[0]:
        return None
    if target in PARTS:
        return f"the core of {package} knows nothing of {target}"
    return None if target_layer == "core" else f"a core imports only cores, not {target}.{target_layer}"


def library_problem(found: Import) -> str | None:
    """What is wrong with an import of the standard library or of somebody else's."""
    package, layer = _package_and_layer(found.importer)
    library = found.target.split(".")[0]
    if ONLY_IN.get(library, package) != package:
        return f"only {ONLY_IN[library]} imports {library}"
    if package == "protocol" and library in NOT_IN_PROTOCOL:
        return f"the protocol does no I/O and does not import {library}"
    if layer == "core" and library in NOT_IN_CORE and not (found.type_only and library in TYPE_ONLY_IN_CORE):
        return f"a core does no I/O and does not import {library}"
    return None


def _within(module: str, parent: str) -> bool:
    return module == parent or module.startswith(f"{parent}.")


def _package_and_layer(module: str) -> tuple[str, str]:
    parts = module.split(".")
    depth = 2 if ".".join(parts[:2]) in PARTS else 1
    return ".".join(parts[:depth]), parts[depth] if len(parts) > depth else ""


RULES = [package_problem, layer_problem, library_problem]


def problems(imports: list[Import]) -> list[str]:
    return [f"{found.where}: {problem}" for found in imports for rule in RULES if (problem := rule(found))]


def test_imports_go_one_way() -> None:
    present = [package for package in MAY_IMPORT if (ROOT / package).is_dir()]
    imports = imports_below(ROOT, present)
    assert len(imports) > len(present)
    assert not problems(imports), "\n" + "\n".join(problems(imports))


def test_every_installed_package_has_its_directions() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - OUTSIDE
    assert packages <= set(MAY_IMPORT)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("protocol/codes.py", "import transport"),
        ("protocol/codes.py", "import asyncio"),
        ("coordinator/app.py", "from commserver.core import broker"),
        ("commserver/app.py", "def start():\n    import coordinator"),
        ("rtcbroker/client.py", "def start():\n    import simulation"),
        ("rtcbroker/cli.py", "import coordinator.app"),
        ("rtcbroker/cli/run.py", "from simulation import scenarios"),
        ("commserver/io/driver.py", "import aiortc.rtcdtlstransport"),
        ("commserver/core/broker.py", "import asyncio"),
        ("coordinator/p2p/core/nextrtc.py", "import asyncio"),
        ("coordinator/p2p/core/nextrtc.py", "from coordinator.p2p.io import access"),
        ("coordinator/p2p/core/nextrtc.py", "from coordinator.io import door"),
        ("coordinator/p2p/io/socket.py", "from coordinator.p2p import app"),
        ("coordinator/core/coordinator.py", "from coordinator.p2p.core import nextrtc"),
        ("commserver/core/broker.py", "def now():\n    from time import monotonic"),
        ("commserver/core/broker.py", "if TYPE_CHECKING:\n    import asyncio"),
        ("commserver/core/broker.py", "from random import Random"),
        ("commserver/core/broker.py", "from ..io import driver"),
        ("commserver/core/broker.py", "from commserver import app"),
        ("commserver/io/driver.py", "from .. import app"),
        ("commserver/io/__init__.py", "from ..app import run"),
        ("commserver/app.py", "from . import __main__"),
        ("commserver/app.py", "import tests.support.poll"),
        ("commserver/app.py", "import importlib\nimportlib.import_module('coordinator.app')"),
        ("commserver/app.py", "class A:\n    async def f(self):\n        import rtcbroker"),
    ],
)
def test_a_wrong_import_is_found(path: str, source: str) -> None:
    assert len(problems(imports_of(source, Path(path)))) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("protocol/tokens.py", "from protocol.codes import Code\nfrom . import limits\nimport jwt"),
        ("transport/sdp.py", "import aioice\nimport asyncio\nfrom protocol import limits"),
        ("coordinator/__main__.py", "from coordinator.app import run\nfrom service import settings"),
        ("commserver/core/__init__.py", "from . import broker\nfrom .broker import Broker"),
        ("commserver/core/broker.py", "if TYPE_CHECKING:\n    import random\nelse:\n    import enum"),
        ("commserver/io/driver.py", "from commserver.core.broker import Broker\nimport time\nfrom ..core import flow"),
        ("rtcbroker/cli.py", "def run():\n    from coordinator.app import main"),
        ("rtcbroker/cli/run.py", "async def run():\n    import importlib\n    importlib.import_module('commserver')"),
        ("simulation/bots.py", "from rtcbroker import Client"),
    ],
)
def test_a_right_import_is_left_alone(path: str, source: str) -> None:
    assert problems(imports_of(source, Path(path))) == []
