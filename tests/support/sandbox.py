"""Run a command under the filters of a systemd unit: `python sandbox.py '{"calls": [..], "families": [..]}' COMMAND...`.

What systemd would load into the kernel for SystemCallFilter= and RestrictAddressFamilies= is loaded here by the same library
(libseccomp, which systemd brings). It imports nothing of ours: the process becomes the command.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import socket
import sys
from typing import Any

ALLOW = 0x7FFF0000
ERRNO = 0x00050000
EQUAL = 4
UNKNOWN_CALL = -1
FAMILIES = 64
"""More than the kernel has (AF_MAX is 46)."""


class Compare(ctypes.Structure):
    """struct scmp_arg_cmp"""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def library() -> ctypes.CDLL:
    """libseccomp, with the types of what is called here."""
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_init.restype = ctypes.c_void_p
    lib.seccomp_init.argtypes = [ctypes.c_uint32]
    rule: list[Any] = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Compare)]
    lib.seccomp_rule_add_array.argtypes = rule
    lib.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    lib.seccomp_load.argtypes = [ctypes.c_void_p]
    return lib


def load(lib: ctypes.CDLL, default: int, rules: list[tuple[int, int, int | None]]) -> None:
    """One filter: each rule is what is done, with which call, with which first argument. Raises OSError."""
    made = lib.seccomp_init(default)
    for action, call, first in rules:
        compare = Compare(0, EQUAL, first or 0, 0)
        done = lib.seccomp_rule_add_array(made, action, call, first is not None, ctypes.byref(compare))
        if done and done != -errno.EDOM:  # EDOM: no call of this architecture
            raise OSError(-done, "seccomp_rule_add_array")
    done = lib.seccomp_load(made)
    if done:
        raise OSError(-done, "seccomp_load")


def main(limits: str, command: list[str]) -> None:
    """Load both filters, and become the command."""
    lib = library()
    wanted = json.loads(limits)
    families = {int(getattr(socket, name)) for name in wanted["families"]}
    calls = {lib.seccomp_syscall_resolve_name(name.encode()) for name in wanted["calls"]} - {UNKNOWN_CALL}
    create = lib.seccomp_syscall_resolve_name(b"socket")
    refused = [(ERRNO | errno.EAFNOSUPPORT, create, family) for family in range(FAMILIES) if family not in families]
    load(lib, ALLOW, [*refused])
    load(lib, ERRNO | errno.EPERM, [(ALLOW, call, None) for call in sorted(calls)])
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
