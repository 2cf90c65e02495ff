"""``python -m coordinator``: a coordinator with its settings from the environment and the file of RTCBROKER_CONFIG."""

from __future__ import annotations

import sys

from coordinator.app import serve
from coordinator.settings import CoordinatorSettings
from service.run import run
from service.settings import load


async def main() -> int:
    """Load the settings and serve."""
    return await serve(load(CoordinatorSettings, {}))


if __name__ == "__main__":
    sys.exit(run(main))
