"""The plugin that names what could not run, run upon small test files of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import needs

TEST = """
    import pytest

    @pytest.mark.needs("{command}")
    def test_it():
        pass

    @pytest.mark.skipif(True, reason="no IPv6 here")
    def test_other():
        pass
"""


MENDABLE = """
    from tests.support.needs import impossible, unmet

    def test_mendable():
        unmet("may make no namespace")

    def test_hopeless():
        impossible("the kernel is too old")
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.Pytester:
    """A pytester in which the list of packages has one command that is there and one that is not."""
    packages = tmp_path / "packages.txt"
    folder = tmp_path / "any" / "deep"
    folder.mkdir(parents=True)
    (folder / "there.so").touch()
    lines = (
        "# comment",
        "sh dash",
        "no-such-command no-such-package",
        f"lib package {tmp_path}/*/deep/there.so",
        "no-lib p /no/*/file",
    )
    packages.write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr(needs, "PACKAGE_LIST", packages)
    monkeypatch.delenv("CI", raising=False)
    pytester.makeini("[pytest]\nmarkers = needs: x\nasyncio_default_fixture_loop_scope = function")
    return pytester


def execute(run: pytest.Pytester, command: str, *options: str) -> pytest.RunResult:
    run.makepyfile(TEST.format(command=command))
    return run.runpytest_inprocess("-p", "tests.support.needs", *options)


@pytest.mark.parametrize("command", ["sh", "lib"])
def test_a_met_need_runs(run: pytest.Pytester, command: str) -> None:
    execute(run, command).assert_outcomes(passed=1, skipped=1)


@pytest.mark.parametrize("command", ["no-such-command", "no-lib"])
def test_an_unmet_need_is_skipped_and_named(run: pytest.Pytester, command: str) -> None:
    result = execute(run, command)
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*could not run*", f"*::test_it: needs {command}, missing here", "*::test_other: no IPv6*"])


def test_a_met_run_names_only_the_other_skip(run: pytest.Pytester) -> None:
    execute(run, "sh").stdout.no_fnmatch_line("*::test_it:*")


def test_an_unmet_need_fails_where_strict(run: pytest.Pytester) -> None:
    execute(run, "no-such-command", "--strict-needs").assert_outcomes(errors=1, skipped=1)


def test_an_unmet_need_fails_in_ci(run: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    execute(run, "no-such-command").assert_outcomes(errors=1, skipped=1)


@pytest.mark.parametrize("ci", [False, True])
def test_what_could_be_mended_fails_in_ci_and_what_could_not_is_named(
    run: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: bool
) -> None:
    if ci:
        monkeypatch.setenv("CI", "true")
    run.makepyfile(MENDABLE)
    result = run.runpytest_inprocess("-p", "tests.support.needs")
    result.assert_outcomes(failed=int(ci), skipped=2 - ci)
    result.stdout.fnmatch_lines(["*could not run*", "*::test_hopeless: the kernel is too old"])


def test_an_unlisted_need_is_refused(run: pytest.Pytester) -> None:
    result = execute(run, "ls")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_it needs 'ls', which packages.txt does not list"])


def test_what_could_not_run_is_appended_to_a_file(run: pytest.Pytester, tmp_path: Path) -> None:
    file = tmp_path / "unmet"
    file.write_text("before\n", encoding="utf-8")
    execute(run, "no-such-command", f"--unmet-needs-to={file}")
    assert len(file.read_text(encoding="utf-8").splitlines()) == 3


@pytest.mark.parametrize("line", ["c", "c d e f"])
def test_a_line_that_cannot_be_understood_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        needs.read_packages(f"a b\n{line}\n")
