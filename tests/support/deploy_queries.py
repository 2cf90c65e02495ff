"""Runs in the environment of scripts/deploy-tools.sh, never in ours: one question, arguments and answer as JSON. See `Tools.query`."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any


def documents(text: str) -> list[Any]:
    """The documents of a YAML text."""
    yaml: Any = importlib.import_module("yaml")
    return [document for document in yaml.safe_load_all(text) if document is not None]


def compose(text: str) -> Any:
    """A Compose file as the Compose Specification reads it; raises for what that does not know."""
    compose_spec: Any = importlib.import_module("compose_spec")
    document = documents(text)[0]
    # Not of the text: it knows no merge keys (<<), which every engine does.
    compose_spec.PyCompose.from_json(json.dumps(document))
    return document


def helm_lint(chart: str, values: dict[str, Any]) -> Any:
    """What Helm has to say of a chart."""
    helm: Any = importlib.import_module("helm_python")
    return helm.lint(chart, values=values)


def helm_template(chart: str, values: dict[str, Any], release: str, namespace: str) -> dict[str, str]:
    """Each template's text, and NOTES.txt; raises for values that the chart's schema or the chart itself refuses."""
    helm: Any = importlib.import_module("helm_python")
    with helm.Chart.load(chart) as loaded:
        loaded.validate_schema(loaded.merge_values(values))
        rendered: dict[str, str] = loaded.render(values, name=release, namespace=namespace)
    return rendered


def validate_kubernetes(manifests: list[Any], version: str) -> int:
    """Hold manifests against the schemas of a Kubernetes version, unknown fields refused; how many there were."""
    kubernetes_validate: Any = importlib.import_module("kubernetes_validate")
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)
    return len(manifests)


QUERIES: dict[str, Callable[..., Any]] = {
    function.__name__: function for function in (documents, compose, helm_lint, helm_template, validate_kubernetes)
}

if __name__ == "__main__":
    json.dump(QUERIES[sys.argv[1]](**json.load(sys.stdin)), sys.stdout)
