"""deploy/config.sample.toml, from the settings models: every option of every service, with its sentence, commented out.

A line that is uncommented as it stands changes nothing where an option has a default; where it has none, there is an example.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from commserver.settings import CommServerSettings
from coordinator.settings import CoordinatorSettings
from service.options import Option, options_of
from service.settings import ServiceSettings

SERVICES: tuple[type[ServiceSettings], ...] = (CoordinatorSettings, CommServerSettings)

EXAMPLES: dict[str, Any] = {
    "auth_secret": "at least 32 bytes, from `openssl rand -hex 32`",
    "auth_secret_file": "/etc/rtcbroker/auth-secret",
    "auth_key_file": "/etc/rtcbroker/public-key.pem",
    "auth_jwks_url": "https://login.example.com/.well-known/jwks.json",
    "auth_issuer": "https://login.example.com/",
    "ready_file": "/run/rtcbroker/ready.json",
    "allowed_origins": ["https://app.example.com"],
    "public_url": "https://rtc.example.com",
    "tls_cert": "/etc/rtcbroker/fullchain.pem",
    "tls_key": "/etc/rtcbroker/privkey.pem",
    "trusted_proxies": ["127.0.0.1", "10.0.0.0/8"],
    "backplane": "redis://redis.example.com:6379",
    "backplane_password_file": "/etc/rtcbroker/redis-password",
    "backplane_ca_file": "/etc/rtcbroker/redis-ca.pem",
    "resume_secret": "the same at all coordinators, at least 16 bytes",
    "ice_servers": ["turn:turn.example.com?transport=udp", "turns:turn.example.com:443"],
    "ice_username": "everyone",
    "ice_credential": "known to every client",
    "ice_turn_secret": "shared with the TURN servers, at least 16 bytes",
    "ice_turn_secret_file": "/etc/rtcbroker/turn-secret",
    "p2p": ["apprtc"],
    "ca_file": "/etc/rtcbroker/ca.pem",
    "token": "a signed token of role COMMUNICATION_SERVER",
    "token_file": "/etc/rtcbroker/server-token",
    "announce": ["203.0.113.7", "2001:db8::7"],
    "stun": ["stun:stun.example.com:3478"],
    "latest": ["position/**"],
}
"""What stands where an option has no default."""

HEAD = """\
# All options of `rtcbroker coordinator` and `rtcbroker commserver`, with their defaults.
#
# Written by `make docs` from the settings models: change the descriptions there. Copy it, take the # off what you need, and name it:
#   rtcbroker coordinator --config /etc/rtcbroker/config.toml          (or RTCBROKER_CONFIG=/etc/rtcbroker/config.toml)
#
# The command line and the environment (RTCBROKER_COORDINATOR_PORT, RTCBROKER_LOG_FORMAT) go before this file. One file serves all
# processes: each reads the table of its command, then [common]. A key that is no option stops the start. docs/configuration.md has more.
# An option without a default stands here with an example.
"""


def sample() -> str:
    """The whole file."""
    common = options_of(ServiceSettings)
    names = {option.name for option in common}
    parts = [HEAD, _table("common", "Every service", common)]
    for settings in SERVICES:
        own = [option for option in options_of(settings) if option.name not in names]
        parts.append(_table(settings.command, f"`rtcbroker {settings.command}`", own))
    return "\n".join(parts)


def has_default(option: Option) -> bool:
    """Whether leaving the option out means a value that can be written down."""
    return option.default not in (None, [], ())


def _table(name: str, title: str, options: Iterable[Option]) -> str:
    lines = [f"# {title}", f"[{name}]"]
    group = None
    for option in options:
        if option.group != group:
            group = option.group
            lines += ["", f"# --- {group} ---"]
        lines += ["", *_described(option), _assignment(option)]
    return "\n".join(lines) + "\n"


def _described(option: Option) -> list[str]:
    text = option.description
    if option.choices:
        text += f" One{' or several' if option.is_list else ''} of: {', '.join(option.choices)}."
    if not has_default(option):
        text += " Not set by default."
    return textwrap.wrap(text, 120, initial_indent="# ", subsequent_indent="# ", break_long_words=False, break_on_hyphens=False)


def _assignment(option: Option) -> str:
    if has_default(option):
        return f"#{option.name} = {_toml(option.default)}"
    return f"#{option.name} = {_toml(EXAMPLES.get(option.name, ['..'] if option.is_list else '..'))}"


def _toml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
