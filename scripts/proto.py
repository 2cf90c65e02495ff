"""Generates protocol/pb from protocol/broker.proto, or with --check says whether what is committed is what would be made.

The schema is compiled as ``protocol/pb/broker.proto``: so the module's imports work inside the package, and its name in the
process-wide descriptor pool is one that an application's own ``broker.proto`` does not take.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("protocol/pb")
GENERATED = [PACKAGE / "broker_pb2.py", PACKAGE / "broker_pb2.pyi"]


def generate(into: Path) -> None:
    """Write the generated files below the directory `into`; ends the program where the schema does not compile."""
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PACKAGE}=protocol"]
    command += [f"--python_out={into}", f"--pyi_out={into}", f"{PACKAGE}/broker.proto"]
    result = subprocess.run(command, cwd=ROOT, check=False)
    if result.returncode != 0:
        sys.exit(f"proto: protocol/broker.proto does not compile (protoc ended with {result.returncode})")


def stale() -> list[Path]:
    """The generated files that are missing or differ from what the schema gives now."""
    with tempfile.TemporaryDirectory() as directory:
        fresh = Path(directory)
        generate(fresh)
        return [
            path for path in GENERATED if not (ROOT / path).exists() or (ROOT / path).read_bytes() != (fresh / path).read_bytes()
        ]


def main(arguments: list[str]) -> None:
    """Run as `proto.py` or `proto.py --check`; the latter exits 1 when a file is stale."""
    if arguments == ["--check"]:
        if paths := stale():
            sys.exit(f"proto: stale, run `make proto`: {', '.join(map(str, paths))}")
    elif arguments:
        sys.exit("usage: proto.py [--check]")
    else:
        generate(ROOT)


if __name__ == "__main__":
    main(sys.argv[1:])
