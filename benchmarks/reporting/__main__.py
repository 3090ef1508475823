"""The report of the newest series: REPORT.md beside its figures, and report.html, which holds all."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import result_file
from benchmarks.analysis.cells import Cells
from benchmarks.comparable import NotComparable, check_one_machine
from benchmarks.reporting.content import blocks
from benchmarks.reporting.document import Block, Drawing, to_html, to_markdown
from benchmarks.series import Series, newest

OUT = Path(__file__).parent.parent
EXPERIMENTS = "experiments.json"
# What a report is made of.
KINDS = ("bench", "full", "claims")


def written(bench: Series | None, full: Series | None, claims: Series | None, *, out: Path) -> None:
    """Replaces an earlier report with its figures; raises NotComparable where the series are not of one machine."""
    every = (bench, full, claims)
    series = [each for each in every if each is not None]
    check_one_machine([each.head for each in series])
    of_bench, of_full, of_claims = (None if each is None else Cells(each) for each in every)
    found = blocks(of_bench, of_full, of_claims, experiments(series))
    figures = out / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    for earlier in figures.glob("*.svg"):
        earlier.unlink()
    for drawing in drawings(found):
        (figures / f"{drawing.name}.svg").write_text(drawing.svg)
    (out / "REPORT.md").write_text(to_markdown(found))
    (out / "report.html").write_text(to_html(found))


def publish(series: Series, results: Path = result_file.RESULTS, out: Path = OUT) -> None:
    """The report of a series that was just made; beside the newest of the other kind where both are of one machine."""
    own: dict[str, Series | None] = {series.head["benchmark"]: series}
    alone = dict.fromkeys(KINDS) | own
    if series.head["conditions"]["quick"]:
        # Only to show that it can be written: beside the runs.
        written(**alone, out=series.folder)
        print(f"a trial, in {series.folder}")
        return
    try:
        written(**{each: newest_or_none(each, results) for each in KINDS} | own, out=out)
    except NotComparable as error:
        print(f"without other series: {error}", file=sys.stderr)
        written(**alone, out=out)
    print(f"saved: {series.folder}\nwritten: {out / 'REPORT.md'} and {out / 'report.html'}")


def drawings(found: Sequence[Block]) -> list[Drawing]:
    return [block for block in found if isinstance(block, Drawing)]


def experiments(series: Sequence[Series]) -> dict[str, Any] | None:
    """Of the last series that has them."""
    files = [file for each in series if (file := each.folder / EXPERIMENTS).exists()]
    if not files:
        return None
    measured: dict[str, Any] = json.loads(files[-1].read_text())
    return measured


def newest_or_none(benchmark: str, folder: Path) -> Series | None:
    """Raises NotComparable where it is a quick one."""
    try:
        series = newest(benchmark, folder)
    except FileNotFoundError:
        return None
    if series.head["conditions"]["quick"]:
        raise NotComparable(f"{series.name} is quick, and only shows that the benchmark runs")
    return series


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reporting", description=__doc__)
    parser.add_argument("--results", type=Path, default=result_file.RESULTS, help="default: benchmarks/results")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of the report (default: benchmarks)")
    options = parser.parse_args()
    try:
        found = {each: newest_or_none(each, options.results) for each in KINDS}
        if not any(found.values()):
            raise FileNotFoundError("no series of `make bench`, `make bench-claims` or `make bench-full`")
        written(**found, out=options.out)
    except (FileNotFoundError, NotComparable) as error:
        print(f"no report: {error}", file=sys.stderr)
        return 1
    print(f"written: {options.out / 'REPORT.md'} and {options.out / 'report.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
