"""``python -m coordinator``: a coordinator configured by environment and file; ``rtcbroker coordinator`` is the command line."""

from __future__ import annotations

import sys

from coordinator.app import main
from coordinator.settings import CoordinatorSettings
from service.entry import start

if __name__ == "__main__":
    sys.exit(start(CoordinatorSettings, main))
