"""The command line: ``python -m benchmarks``."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from benchmarks import plots, results, scaling, scaling_model
from benchmarks.catalogue import NAMES, chosen
from benchmarks.figures import MIN_RUNS
from benchmarks.machine import commit, machine, versions
from benchmarks.rounds import FULL, QUICK, figures, run_rounds
from benchmarks.table import is_reached, is_valid, remarks, table

EXIT_INVALID = 1


@click.command()
@click.option(
    "--runs", type=click.IntRange(1, 100), default=5, show_default=True, help="Runs of each scenario; medians are told."
)
@click.option("--only", "names", multiple=True, type=click.Choice(NAMES), help="Only this scenario; may be given several times.")
@click.option("--quick", is_flag=True, help="Short runs and few idle clients: shows that everything works, not what it costs.")
@click.option("--json", "path", type=click.Path(path_type=Path, dir_okay=False), help="Write there, not to benchmarks/results/.")
@click.option("--plots", "directory", type=click.Path(path_type=Path, file_okay=False), help="Draw PNG files in this directory.")
@click.option("--strict", is_flag=True, help="A missed target is a failure, too.")
def main(runs: int, names: tuple[str, ...], quick: bool, path: Path | None, directory: Path | None, strict: bool) -> None:
    """Measure what the cluster costs, on this machine, which should do nothing else meanwhile.

    Exit code 1: a figure is invalid (loss, a duplicate, a misroute, clients that did not get in, fewer than three runs).
    """
    size = QUICK if quick else FULL
    began = datetime.now().astimezone()
    about = {"quick": quick, "machine": machine(), "commit": commit(), "versions": versions()}
    outcomes = run_rounds(chosen(names), runs, size, lambda line: click.echo(line, err=True))
    found = figures(outcomes)
    notes = [note for of_one in outcomes.values() for outcome in of_one for note in outcome.notes]
    print(table(found))
    for line in remarks(found, notes):
        print(line)
    for line in scaling_model.summary(scaling.samples_of(outcomes)):
        print(line)
    path = path or results.default_path(began)
    results.write(path, results.document(found, outcomes, size, began, about))
    print(f"written: {path}")
    if plots.available():
        for drawn in plots.write_plots(outcomes, directory or path.with_suffix("")):
            print(f"drawn: {drawn}")
    else:
        print("no plots: matplotlib is not installed (pip install 'rtcbroker[simulation]')")
    if not is_valid(found):
        print(f"not valid: see above (at least {MIN_RUNS} runs, and nothing lost)")
        sys.exit(EXIT_INVALID)
    if strict and not is_reached(found):
        sys.exit(EXIT_INVALID)


if __name__ == "__main__":
    main()
