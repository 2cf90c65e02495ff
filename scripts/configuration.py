"""Writes docs/configuration.md and deploy/config.sample.toml from the settings models, or says with --check whether they are as these."""

from __future__ import annotations

import sys
from pathlib import Path

from commserver.settings import CommServerSettings
from coordinator.settings import CoordinatorSettings
from scripts.sample_config import sample
from service.options import Option, options_of
from service.settings import ServiceSettings

ROOT = Path(__file__).parent.parent

HEAD = """\
# Configuration

<!-- Written by `make docs` from the settings models: change the descriptions there. -->

Every option of `rtcbroker coordinator` and `rtcbroker commserver` can stand in four places. The first that has it counts:

1. the command line: `--udp-port 7000`;
2. an environment variable of the command, `RTCBROKER_COMMSERVER_UDP_PORT`, or one for all commands, `RTCBROKER_UDP_PORT`;
3. a TOML file, named by `--config FILE` or `RTCBROKER_CONFIG`: the table of the command, then `[common]`;
4. the default.

```toml
[common]
auth_secret_file = "/etc/rtcbroker/secret"
log_format = "json"

[coordinator]
port = 9090

[commserver]
coordinator = "wss://broker.example.org"
udp_port = 7000
announce = ["203.0.113.7", "2001:db8::7"]
```

A wrong value, an unknown key of the file or an unknown option stops the start with one line that names it and where it stands. Lists
are repeated flags, TOML arrays, or texts separated by commas. Secrets are better off in files or the environment than on a command
line, which every user of the machine can read.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for settings, title in ((CoordinatorSettings, "Coordinator"), (CommServerSettings, "Comm server")):
        parts.append(_section(settings, title))
    return "\n".join(parts)


def _section(settings: type[ServiceSettings], title: str) -> str:
    lines = [f"## {title}: `rtcbroker {settings.command}`", ""]
    groups: dict[str, list[Option]] = {}
    for option in options_of(settings):
        groups.setdefault(option.group or "General", []).append(option)
    for group, options in groups.items():
        lines += [f"### {group}", "", "| option | default | meaning |", "|---|---|---|"]
        lines += [_row(option) for option in options]
        lines.append("")
    return "\n".join(lines)


def _row(option: Option) -> str:
    flag = f"`{option.flag}`" + (" (several)" if option.is_list else "")
    if option.choices:
        flag += "<br>" + " · ".join(option.choices)
    default = "" if option.default in (None, [], ()) else f"`{_plain(option.default)}`"
    meaning = option.description.replace("|", "\\|")
    return f"| {flag} | {default} | {meaning} |"


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def main() -> int:
    """0 when all is well."""
    made = {"docs/configuration.md": page(), "deploy/config.sample.toml": sample()}
    if "--check" not in sys.argv:
        for name, text in made.items():
            (ROOT / name).write_text(text, encoding="utf-8")
        return 0
    stale = [
        name for name, text in made.items() if not (ROOT / name).exists() or (ROOT / name).read_text(encoding="utf-8") != text
    ]
    for name in stale:
        print(f"{name} is not what the settings say: run `make docs`")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
