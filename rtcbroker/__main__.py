"""`python -m rtcbroker`: the command line."""

from __future__ import annotations

from rtcbroker.cli import main

if __name__ == "__main__":
    main()
