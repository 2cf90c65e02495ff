"""``python -m <service>``: settings from the environment and the file of RTCBROKER_CONFIG, then the service until it is told to stop."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import TypeVar

from protocol.errors import ConfigError
from service import logs
from service.run import EXIT_CONFIG
from service.settings import ServiceSettings, load, unknown_variables

log = logging.getLogger(__name__)

S = TypeVar("S", bound=ServiceSettings)


def start(settings_class: type[S], main: Callable[[S], int]) -> int:
    """Load the settings, set logging up, run `main`. Returns the exit code; EXIT_CONFIG and a line on standard error for wrong settings."""
    try:
        settings = load(settings_class, {})
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    logs.configure(settings.log_level, settings.log_format)
    for warning in unknown_variables(settings_class):
        log.warning("%s", warning)
    return main(settings)
