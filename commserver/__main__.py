"""`python -m commserver`: one comm server, configured by environment and file; `rtcbroker commserver` is the command line."""

from __future__ import annotations

import sys

from commserver.app import serve
from commserver.settings import CommServerSettings
from protocol.errors import ConfigError
from service.logs import configure
from service.run import EXIT_CONFIG, run
from service.settings import load


def main() -> int:
    """Returns the exit code."""
    try:
        settings = load(CommServerSettings, {})
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    configure(settings.log_level, settings.log_format)
    return run(lambda: serve(settings))


if __name__ == "__main__":
    sys.exit(main())
