"""Kills processes of the cluster at the time that was asked for, starts them again, and remembers what it did."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulation.core.kills import Kill, is_server
from simulation.core.outages import Death
from simulation.io.children import Child, ChildError
from simulation.io.spawn import Cluster

log = logging.getLogger(__name__)

LOOK_AHEAD_S = 1.0
"""So long before a kill it is looked up which comm server has which alias: then that costs no time when it counts."""


@dataclass(frozen=True, slots=True)
class Revival:
    """A killed process runs again; seconds of the monotonic clock."""

    process: str
    at: float


class Killer:
    """One run's kills. `deaths`, `revivals`, `names` (of comm servers, by alias) and `hosts` (of coordinators, with their names) may be
    read when :meth:`run` is over."""

    def __init__(
        self,
        cluster: Cluster,
        kills: Sequence[Kill],
        revive_after_s: float | None,
        *,
        before_kill: Callable[[], None],
        on_revived: Callable[[Child], None],
    ) -> None:
        """`revive_after_s`: a killed process is started again so long after. `before_kill` is the last look at what dies; `on_revived`
        gets each comm server that was started again.
        """
        self.deaths: list[Death] = []
        self.revivals: list[Revival] = []
        self.names: dict[int, str] = {}
        self.hosts = cluster.hosts
        self._cluster = cluster
        self._kills = kills
        self._revive_after_s = revive_after_s
        self._before_kill = before_kill
        self._on_revived = on_revived

    async def run(self, measure_at: float, end_at: float) -> None:
        """Kill and revive until `end_at`. Raises :class:`ChildError` for a process that does not come back."""
        tasks = [asyncio.create_task(self._one(kill, measure_at + kill.after_s, end_at)) for kill in self._kills]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._kills:
            self.names.update(await self._cluster.names())

    async def _one(self, kill: Kill, at: float, end_at: float) -> None:
        await _until(at - LOOK_AHEAD_S)
        names = await self._cluster.names()
        self.names.update(names)
        alias = next((alias for alias, name in names.items() if name == kill.process), None)
        if alias is None and is_server(kill.process):
            raise ChildError(f"{kill.process} does not say under which alias clients know it, so it is not killed")
        host = next((host for host, name in self.hosts.items() if name == kill.process), "")
        await _until(at)
        self._before_kill()
        self.deaths.append(Death(kill.process, await self._cluster.kill(kill.process), alias, host))
        log.info("killed %s", kill.process)
        if self._revive_after_s is None or at + self._revive_after_s >= end_at:
            return
        await _until(at + self._revive_after_s)
        child = await self._cluster.revive(kill.process)
        self.revivals.append(Revival(kill.process, time.monotonic()))
        if is_server(kill.process):
            self._on_revived(child)


async def _until(at: float) -> None:
    await asyncio.sleep(max(0.0, at - time.monotonic()))
