"""`python -m commserver`: one comm server, configured by environment and file; `rtcbroker commserver` is the command line."""

from __future__ import annotations

import sys

from commserver.app import main
from commserver.settings import CommServerSettings
from service.entry import start

if __name__ == "__main__":
    sys.exit(start(CommServerSettings, main))
