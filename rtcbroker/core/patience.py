"""Whether to try again, and after how long: what a failure says, how many there were in a row, and the pauses between them."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from protocol.codes import Retry
from protocol.errors import ConnectionClosed
from rtcbroker.core.credentials import AUTH_CODES, Credentials
from rtcbroker.core.errors import AuthError, ConnectError
from rtcbroker.core.options import ClientOptions
from service.backoff import Backoff

if TYPE_CHECKING:
    import random


class Verdict(enum.Enum):
    """What a peer's own word means."""

    AGAIN = "again"
    FRESH_TOKEN = "again with a fresh token"
    NEVER = "never again"


class Patience:
    """How much of it a client has left."""

    def __init__(self, options: ClientOptions, credentials: Credentials, rng: random.Random) -> None:
        self._most = options.max_attempts
        self._credentials = credentials
        self._pauses = Backoff(options.backoff_base, options.backoff_cap, rng)
        self._failed = 0

    def judge(self, told: ConnectionClosed) -> Verdict:
        """What to make of `told`, which the coordinator or a server said itself. Uses up the second chance a refused token has."""
        if told.code in AUTH_CODES:
            return Verdict.FRESH_TOKEN if self._credentials.refused() else Verdict.NEVER
        return Verdict.NEVER if told.retry is Retry.NEVER else Verdict.AGAIN

    def is_over(self) -> bool:
        """Count one more attempt that failed, and say whether it was the last."""
        self._failed += 1
        return self._most is not None and self._failed >= self._most

    def pause(self) -> float:
        """Seconds until the next round of servers; longer each time until :meth:`restore`."""
        return self._pauses.next()

    def joined(self) -> None:
        """An attempt succeeded: failures are counted anew."""
        self._failed = 0

    def restore(self) -> None:
        """A connection has proved stable: pauses are short again."""
        self._pauses.reset()


def final_error(failure: ConnectionClosed) -> ConnectError:
    """What a client ends with after this failure."""
    kind = AuthError if failure.code in AUTH_CODES else ConnectError
    return kind(failure.code, failure.reason)
