"""A signalling core that answers as it is told, for tests of what is around one."""

from __future__ import annotations

from coordinator.core.store import Store
from coordinator.p2p.core.counts import Counts
from coordinator.p2p.core.outputs import Close, Output, Send


class Parrot:
    """Says everything to everyone; `bye` closes the one who says it, `flood N` sends N long frames."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.here: list[int] = []
        self.gone: list[int] = []
        self.heard = 0
        self.ticks = 0
        self.deadline: float | None = None
        self._outputs: list[Output] = []

    @property
    def rooms(self) -> int:
        return 1

    @property
    def members(self) -> int:
        return len(self.here)

    def connected(self, key: int, account: Store, now: float) -> None:
        self.here.append(key)

    def received(self, key: int, data: str | bytes, now: float) -> None:
        self.heard += 1
        if data == "bye":
            self.here.remove(key)
            self._outputs += [Send(key, "last words"), Close(key, 1002, "said bye")]
        elif data == "later":
            self.deadline = now + 0.05
        elif isinstance(data, str) and data.startswith("flood"):
            self._outputs += [Send(key, "x" * 100_000) for _ in range(int(data.split()[1]))]
        else:
            self._outputs += [Send(other, data) for other in self.here]

    def left(self, key: int, now: float) -> None:
        if key in self.here:
            self.here.remove(key)
            self.gone.append(key)
            self._outputs += [Send(other, f"{key} left") for other in self.here]

    def tick(self, now: float) -> None:
        if self.deadline is not None and now >= self.deadline:
            self.deadline = None
            self.ticks += 1

    def next_deadline(self) -> float | None:
        return self.deadline

    def outputs(self) -> list[Output]:
        outputs, self._outputs = self._outputs, []
        return outputs

    def stop(self, now: float) -> None:
        self._outputs += [Close(key, 1001, "going away") for key in self.here]
        self.here = []
