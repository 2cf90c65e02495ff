"""`python -m rtcbroker.cli`: the command line where the script `rtcbroker` is not on the path."""

from __future__ import annotations

from rtcbroker.cli import main

main(prog_name="rtcbroker")
