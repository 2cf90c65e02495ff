"""Reads the imports of a source tree without running it, for the test that holds their directions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Import:
    """One imported name. `from a import b` imports `a.b`: from the text alone, b may be a module."""

    importer: str
    """Dotted name of the module that imports; of a package, without `__init__`."""
    target: str
    """Dotted name of what is imported."""
    where: str
    """`path:line`."""
    late: bool = False
    """Inside a function: only imported when that runs."""
    type_only: bool = False
    """Below `if TYPE_CHECKING:`: never imported when the program runs."""


def imports_below(root: Path, packages: list[str]) -> list[Import]:
    """Every import of the given top-level packages of `root`."""
    return [
        found
        for package in packages
        for path in sorted((root / package).rglob("*.py"))
        for found in imports_of(path.read_text(encoding="utf-8"), path.relative_to(root))
    ]


def imports_of(source: str, path: Path) -> list[Import]:
    """Every import of a module, wherever in it, `importlib.import_module("...")` too; `path` is relative to the root."""
    is_package = path.name == "__init__.py"
    parts = path.with_suffix("").parts
    reader = _Reader(".".join(parts[:-1] if is_package else parts), is_package, path)
    reader.visit(ast.parse(source, str(path)))
    return reader.found


class _Reader(ast.NodeVisitor):
    def __init__(self, module: str, is_package: bool, path: Path) -> None:
        self.found: list[Import] = []
        self._module = module
        self._is_package = is_package
        self._path = path
        self._functions = 0
        self._type_only = False

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        self._functions += 1
        self.generic_visit(node)
        self._functions -= 1

    visit_AsyncFunctionDef = visit_FunctionDef
    visit_Lambda = visit_FunctionDef

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) not in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            self.generic_visit(node)
            return
        before, self._type_only = self._type_only, True
        for child in node.body:
            self.visit(child)
        self._type_only = before
        for child in node.orelse:
            self.visit(child)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = ".".join(self._base(node))
        for alias in node.names:
            self._add(base if alias.name == "*" else f"{base}.{alias.name}", node.lineno)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__") and node.args and isinstance(node.args[0], ast.Constant):
            self._add(str(node.args[0].value), node.lineno)
        self.generic_visit(node)

    def _base(self, node: ast.ImportFrom) -> Iterator[str]:
        if node.level:
            parts = self._module.split(".")
            # One dot is the package itself: of a plain module, all of its name but the last part.
            yield from parts[: len(parts) - node.level + self._is_package]
        if node.module:
            yield node.module

    def _add(self, target: str, line: int) -> None:
        self.found.append(Import(self._module, target, f"{self._path}:{line}", self._functions > 0, self._type_only))
