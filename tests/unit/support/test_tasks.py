"""The plugin that catches tasks which outlive their test."""

from __future__ import annotations

import pytest

TEST = """
    import asyncio, pytest

    async def test_leaks(keep=[]):
        keep.append(asyncio.create_task(asyncio.sleep(60), name="left-over"))

    async def test_cancels():
        asyncio.create_task(asyncio.sleep(60)).cancel()

    @pytest.fixture
    async def background():
        task = asyncio.create_task(asyncio.sleep(60))
        yield task
        task.cancel()

    async def test_fixture_cleans_up(background):
        pass

    def test_plain():
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
"""


def test_only_the_task_that_is_left_fails(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.tasks.GRACE_S", 0.05)
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(TEST)
    result = pytester.runpytest_inprocess("-p", "tests.support.tasks")
    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines(["*tasks outlive the test*left-over*"])
