"""Options for comm servers are judged before any is started."""

from __future__ import annotations

import pytest

from protocol.errors import ConfigError
from simulation.server_options import server_arguments


@pytest.mark.parametrize(
    ("pairs", "arguments"),
    [
        ([], []),
        (["coalesce_window=0"], ["--coalesce-window", "0.0"]),
        (["--coalesce-window = 0.05", "max_peers=9"], ["--coalesce-window", "0.05", "--max-peers", "9"]),
        (["hub=yes"], ["--hub"]),
        (["hub=no"], ["--no-hub"]),
        (["latest=a/*,b/**"], ["--latest", "a/*", "--latest", "b/**"]),
    ],
)
def test_pairs_become_arguments(pairs: list[str], arguments: list[str]) -> None:
    assert server_arguments(pairs) == arguments


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["coalesce_window"], "--server-option 'coalesce_window': is not NAME=VALUE, such as coalesce_window=0"),
        (["=1"], "is not NAME=VALUE"),
        (["coalesce=0"], "a comm server has no option coalesce (did you mean coalesce_window?)"),
        (["coalesce_window=long"], "--server-option 'coalesce_window=long': input should be a valid number"),
        (["coalesce_window=7"], "input should be less than or equal to 1"),
        (["latest=a b"], "--server-option 'latest=a b': "),
        (["port=1"], "port is set by the simulation itself"),
        (["auth=none"], "auth is set by the simulation itself"),
        (["hub=yes", "hub=no"], "hub is given twice"),
    ],
)
def test_what_is_wrong_is_named(pairs: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        server_arguments(pairs)
    assert message in str(caught.value)
