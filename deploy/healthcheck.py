"""The image's HEALTHCHECK: exit code 0 while every process of this container answers on its own health page.

A process tells its ports in its ready file, so this has to know neither the role nor its options, and needs nothing but the standard
library. `python3 healthcheck.py readyz` asks whether it should get peers instead.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import sys
from pathlib import Path

READY_FILES = ("RTCBROKER_COORDINATOR_READY_FILE", "RTCBROKER_COMMSERVER_READY_FILE", "RTCBROKER_READY_FILE")
TIMEOUT_S = 1.0
"""For one attempt; HEALTHCHECK has a limit for all of them."""
MAX_ANSWER_BYTES = 4096


def main(arguments: list[str]) -> int:
    """0: healthy. 1: not, and standard output says why."""
    page = arguments[0] if arguments else "healthz"
    ports = told_ports()
    if not ports:
        sys.stdout.write("no process has said yet that it is ready\n")
        return 1
    problems = [problem for port in ports if (problem := ask(port, page))]
    sys.stdout.write("\n".join(problems or ["ok"]) + "\n")
    return 1 if problems else 0


def told_ports() -> list[int]:
    """The HTTP ports in the ready file, of all processes of a supervisor."""
    for name in READY_FILES:
        path = Path(os.environ.get(name, ""))
        if path.is_file():
            told = json.loads(path.read_text(encoding="utf-8"))
            return [int(each["port"]) for each in told.get("processes", [told])]
    return []


def ask(port: int, page: str) -> str:
    """Ask for a page, plain or by TLS, on whichever address of this container the process listens; '' when it answers 200."""
    problem = f"port {port}: nobody answers"
    for host in ("127.0.0.1", "::1", socket.gethostname()):
        for connection in (
            http.client.HTTPConnection(host, port, timeout=TIMEOUT_S),
            http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=trusting_ourselves()),
        ):
            try:
                connection.request("GET", f"/{page}")
                response = connection.getresponse()
                text = response.read(MAX_ANSWER_BYTES).decode(errors="replace").strip()
            except (OSError, http.client.HTTPException):
                continue
            finally:
                connection.close()
            if response.status == 200:
                return ""
            problem = f"port {port}: {response.status} {text}"
    return problem


def trusting_ourselves() -> ssl.SSLContext:
    """The certificate is for the name that others know us by, and we ask our own container."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
