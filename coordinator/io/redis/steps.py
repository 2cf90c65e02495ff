"""The steps that coordinators take on Redis, as arguments of the script ``cluster.lua``; what each does is written there."""

from __future__ import annotations

from pathlib import Path

from coordinator.core.cluster import (
    MAX_REVOCATIONS,
    Claim,
    ClusterOutput,
    Deed,
    Disconnect,
    Forward,
    Release,
    Revocation,
    Revoked,
    ServerDown,
    ServerReported,
    ServerState,
    ServerUp,
    newcomer,
)
from coordinator.io.redis.messages import (
    encode_back,
    encode_deed,
    encode_disconnect,
    encode_frame,
    encode_report,
    encode_revocation,
    encode_state,
)

SCRIPT = Path(__file__).with_name("cluster.lua").read_text(encoding="utf-8")

FENCED, DONE, MISSING, FULL = -1, 0, 1, 2
"""Its answers: this coordinator is none of the cluster; carried out; nobody has the alias; no room in the recipient's inbox."""

Step = tuple[str | int | bytes, ...]
"""The operation, the coordinator that takes it, and more."""


def step_of(output: ClusterOutput, node: str) -> Step:
    """The step that carries out an output of the core."""
    match output:
        case Claim():
            return ("claim", node, *_claim(output))
        case Release():
            return ("release", node, output.key, output.alias)
        case ServerUp():
            return ("up", node, output.state.alias, encode_state(output.state))
        case ServerDown():
            return ("down", node, output.alias)
        case ServerReported():
            return ("report", node, encode_report(output.alias, node, output.frame))
        case Forward():
            return ("forward", node, output.to_alias, encode_frame(node, output))
        case Revoked():
            return revoke(output.revocation, node)
        case Disconnect():
            return ("tell", node, encode_disconnect(output))
        case Deed():
            return ("tell", node, encode_deed(output))


def reclaim(claim: Claim, node: str, since: float, state: ServerState | None) -> Step:
    """Hold an alias that was granted at `since` (seconds of Redis' clock), under a former name or while Redis was away."""
    return ("reclaim", node, *_claim(claim, state), int(since * 1000))


def revoke(revocation: Revocation, node: str) -> Step:
    """Remember a revocation, and tell it to all others if it is news."""
    field = f"{revocation.name} {revocation.value}".encode(errors="surrogatepass")
    return ("revoke", node, field, MAX_REVOCATIONS, encode_revocation(revocation), repr(revocation.until))


def back(forward: Forward, node: str, origin: str) -> Step:
    """A frame found nobody here."""
    return ("back", node, origin, encode_back(forward))


def _claim(claim: Claim, state: ServerState | None = None) -> Step:
    """A server is known to all from the very step that gives it its alias: of two that come at once, one hears of the other."""
    if state is None and claim.role.is_server:
        state = newcomer(claim.alias, claim.role, part2=claim.part2, is_linked=claim.proven)
    flags = (int(claim.proven), int(claim.takes_free), int(claim.takes_own))
    return (
        claim.key,
        claim.alias,
        claim.role.value,
        *flags,
        claim.subject.encode(errors="surrogatepass"),
        encode_state(state) if state else b"",
    )
